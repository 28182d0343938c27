namespace Temper.Api.Http;

/// <summary>
/// Without keys, accepts only requests whose Host is a name of this machine. Otherwise a web page could reach the API by
/// resolving its own name to this machine (DNS rebinding).
/// </summary>
/// <remarks>ASP.NET Core's own host filtering is not used, because it refuses with an HTML page.</remarks>
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
                // HTTP/1.0 requests may lack a Host. A browser always sends one.
                var host = context.Request.Host;
                if (!host.HasValue || Ours.Contains(host.Host, StringComparer.OrdinalIgnoreCase))
                    await next(context);
                else
                    await Refusal.ExecuteAsync(context);
            }
        );
    }
}
