using System.Globalization;
using System.Net;
using Hangfire;
using Hangfire.Dashboard;
using Npgsql;
using Temper.Api.Audit;
using Temper.Api.Http;
using Temper.Store.Engine;
using Temper.Store.Keys;

namespace Temper.Api.Engine;

/// <summary>
/// Hangfire's dashboard at /hangfire. It shows the jobs of all tenants, so it needs the scope `admin`. Trainings are read-only there,
/// because the API's verbs control them. Ordinary jobs can be requeued there.
/// </summary>
internal static class Dashboard
{
    private const string Path = Routes.Dashboard;

    private const int Connections = 8,
        CommandSeconds = 5;

    public static void AddDashboard(this IServiceCollection services, string connectionString, NpgsqlDataSource database)
    {
        services.AddSingleton<JobStorage>(_ =>
            EngineStorage.Open(connectionString, new AttemptQueue(database), Connections, CommandSeconds)
        );
        services.AddHangfire(hangfire => hangfire.UseJobDetailsRenderer(0, LinkToJob));
    }

    public static void MapDashboard(this WebApplication app)
    {
        app.UseWhen(
            context => context.Request.Path.StartsWithSegments(Path),
            branch =>
                branch
                    .Use(
                        (context, next) =>
                        {
                            context.AllowPage(PagePolicy.Hangfire);
                            if (context.Request.Path.StartsWithSegments($"{Path}/stats"))
                                AuditTrail.ChangesNothing(context); // each open page asks every 2 s, by POST
                            return next(context);
                        }
                    )
                    .Use(app.Services.GetRequiredService<Overload>().LimitPagesAsync)
                    .Use(RefuseWhatHangfireCannotReadAsync)
        );
        app.MapHangfireDashboard(
                Path,
                new DashboardOptions
                {
                    Authorization = [], // the endpoint's policy has let the request through
                    AsyncAuthorization = [],
                    IgnoreAntiforgeryToken = true, // SameOrigin refuses what another site sends
                    IsReadOnlyFunc = IsAboutAttempts,
                    DisplayStorageConnectionString = false,
                    DashboardTitle = "Temper: Hangfire",
                    AppPath = "/",
                }
            )
            .Needs(Scope.Admin);
    }

    /// <summary>Refuses methods, forms and ids that Hangfire cannot read. It would throw on an id that is not a number.</summary>
    private static async Task RefuseWhatHangfireCannotReadAsync(HttpContext context, RequestDelegate next)
    {
        var request = context.Request;
        if (!(HttpMethods.IsGet(request.Method) || HttpMethods.IsHead(request.Method) || HttpMethods.IsPost(request.Method)))
        {
            await Problems
                .Of(StatusCodes.Status405MethodNotAllowed, "The dashboard knows GET and POST.", "Commands are sent by POST.")
                .ExecuteAsync(context);
            return;
        }
        string?[] ids = IdInPath(request.Path) is { } one ? [one] : [];
        if (HttpMethods.IsPost(request.Method) && ids.Length == 0 && !request.HasFormContentType)
        {
            await Problems
                .Of(
                    StatusCodes.Status415UnsupportedMediaType,
                    "The dashboard takes forms.",
                    "A command to several jobs names them in a form."
                )
                .ExecuteAsync(context);
            return;
        }
        try
        {
            if (HttpMethods.IsPost(request.Method) && request.HasFormContentType && !IsAboutRecurringJobs(request.Path))
                ids = [.. ids, .. (await request.ReadFormAsync())["jobs[]"]];
        }
        catch (Exception e) when (e is InvalidDataException or BadHttpRequestException)
        {
            await Problems.Of(StatusCodes.Status400BadRequest, "The form cannot be read.", e.Message).ExecuteAsync(context);
            return;
        }
        if (ids.All(IsJobId))
            await next(context);
        else
            await Problems
                .Of(StatusCodes.Status404NotFound, "Hangfire's jobs have numbers.", "A job of the service is at /jobs/{id}.")
                .ExecuteAsync(context);
    }

    private static bool IsJobId(string? id) => long.TryParse(id, NumberStyles.None, CultureInfo.InvariantCulture, out _);

    private static bool IsAboutRecurringJobs(PathString path) => path.StartsWithSegments($"{Path}/recurring");

    private static string? IdInPath(PathString path) =>
        path.Value!.Split('/') is [.., "details" or "requeue" or "delete", var id] && id.Length > 0 ? id : null;

    /// <summary>Whether the request is for the page of one training, or a command to trainings.</summary>
    private static bool IsAboutAttempts(DashboardContext context)
    {
        var request = context.GetHttpContext().Request; // here the path does not include /hangfire
        if (request.Path.StartsWithSegments("/recurring"))
            return false;
        string?[] ids =
        [
            .. HttpMethods.IsPost(request.Method) && request.HasFormContentType ? request.Form["jobs[]"].ToArray() : [],
            .. IdInPath(request.Path) is { } one ? [one] : Array.Empty<string>(),
        ];
        if (ids.Length == 0)
            return false;
        using var connection = context.Storage.GetConnection();
        return ids.Any(id => connection.GetJobData(id)?.Job?.Type == typeof(ITraining));
    }

    private static NonEscapedString LinkToJob(JobDetailsRendererDto details)
    {
        if (details.JobDetails.Job is not { } job || job.Type != typeof(ITraining))
            return new("");
        var id = WebUtility.HtmlEncode(job.Args[0].ToString());
        return new(
            $"<p>Attempt {WebUtility.HtmlEncode(job.Args[1].ToString())} of job <a href=\"/#/jobs/{id}\">{id}</a>. Retry, pause and "
                + "cancel it there.</p>"
        );
    }
}
