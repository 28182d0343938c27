namespace Temper.Api.Http;

/// <summary>
/// Without keys the API answers to this machine's own names only: a web page that gets its name resolved to this machine must
/// not reach it.
/// </summary>
/// <remarks>ASP.NET Core's host filtering would refuse with a page of HTML.</remarks>
internal static class HostNames
{
    private static readonly string[] Ours = ["localhost", "127.0.0.1", "[::1]"];

    private static IResult Refusal =>
        Problems.Invalid(
            "Another host was asked for.",
            new() { ["host"] = [$"must be one of {string.Join(", ", Ours)} while no keys are configured"] }
        );

    public static void UseHostNames(this WebApplication app)
    {
        if (app.Services.GetRequiredService<ApiKeys>().Any)
            return;
        app.Use(
            async (context, next) =>
            {
                // HTTP/1.0 needs no Host; a browser always sends one.
                var host = context.Request.Host;
                if (!host.HasValue || Ours.Contains(host.Host, StringComparer.OrdinalIgnoreCase))
                    await next(context);
                else
                    await Refusal.ExecuteAsync(context);
            }
        );
    }
}
