namespace Temper.Api.Http;

/// <summary>HEAD wherever there is GET: what a GET would answer, without its body.</summary>
internal static class Heads
{
    /// <summary>
    /// Kestrel sends no body to a HEAD whatever becomes of the method here. An endpoint is found as if for a GET, and told
    /// afterwards, so that it need not read a file.
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
