using Microsoft.Extensions.FileProviders;

namespace Temper.Api.Http;

/// <summary>
/// Serves the dashboard at /. The build makes its files from src/Dashboard where Node is installed; without them the page at / says
/// so. The files hold no data, so they need no key, and no database either: a page that is open shows that the database is away.
/// </summary>
internal static class DashboardFiles
{
    private const string WithoutDashboard = """
        <!doctype html>
        <html lang="en">
        <meta charset="utf-8">
        <title>Temper</title>
        <h1>Temper</h1>
        <p>The API is running. Its dashboard was not built, because Node 18 or later and npm were missing when it was compiled, or npm
        failed. Install them and build again.</p>
        <p><a href="/swagger">The API in Swagger UI</a>, <a href="/hangfire">Hangfire's dashboard</a></p>
        </html>
        """;

    public static void UseDashboardFiles(this WebApplication app)
    {
        var folder = Path.Combine(AppContext.BaseDirectory, "dashboard");
        if (!File.Exists(Path.Combine(folder, "index.html")))
        {
            app.Logger.LogWarning("The dashboard was not built: {Folder} is missing. The page at / says what to do", folder);
            app.Use((context, next) => IsStartPage(context.Request) ? WriteWithoutDashboardAsync(context) : next(context));
            return;
        }
        // Only their paths reach the file server, which would look on the disk for every other path too.
        var paths = Directory.EnumerateFiles(folder).Select(file => $"/{Path.GetFileName(file)}").Append("/").ToHashSet();
        var options = new FileServerOptions
        {
            FileProvider = new PhysicalFileProvider(folder),
            StaticFileOptions = { OnPrepareResponse = file => AddHeaders(file.Context) },
        };
        app.UseWhen(context => paths.Contains(context.Request.Path.Value ?? ""), files => files.UseFileServer(options));
    }

    private static bool IsStartPage(HttpRequest request) =>
        request.Path == "/" && (HttpMethods.IsGet(request.Method) || HttpMethods.IsHead(request.Method));

    private static Task WriteWithoutDashboardAsync(HttpContext context)
    {
        AddHeaders(context);
        context.Response.ContentType = "text/html; charset=utf-8";
        return HttpMethods.IsHead(context.Request.Method) ? Task.CompletedTask : context.Response.WriteAsync(WithoutDashboard);
    }

    private static void AddHeaders(HttpContext context)
    {
        context.AllowPage(PagePolicy.Dashboard);
        context.Response.Headers.CacheControl = "no-cache"; // the browser asks whether a build has changed them
    }
}
