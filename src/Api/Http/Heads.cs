namespace Temper.Api.Http;

/// <summary>Answers HEAD on every route that has GET, with the same headers and no body.</summary>
internal static class Heads
{
    /// <summary>
    /// Routes a HEAD as a GET and restores the method afterwards, so that the endpoint need not read a file. Kestrel sends no
    /// body in answer to a HEAD, even though the method changes here.
    /// </summary>
    public static void UseHeads(this WebApplication app)
    {
        app.Use(
            (context, next) =>
            {
                if (!HttpMethods.IsHead(context.Request.Method))
                    return next(context);
                (context.Items[typeof(Heads)], context.Request.Method) = (true, HttpMethods.Get);
                return next(context);
            }
        );
        app.UseRouting();
        app.Use(
            (context, next) =>
            {
                if (context.Items.ContainsKey(typeof(Heads)) && context.GetEndpoint() is not null)
                    context.Request.Method = HttpMethods.Head;
                return next(context);
            }
        );
    }
}
