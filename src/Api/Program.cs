using Microsoft.EntityFrameworkCore;
using Temper.Api.Access;
using Temper.Api.Audit;
using Temper.Api.Calibration;
using Temper.Api.Datasets;
using Temper.Api.Documentation;
using Temper.Api.Engine;
using Temper.Api.Evaluations;
using Temper.Api.Events;
using Temper.Api.Health;
using Temper.Api.Http;
using Temper.Api.Instruments;
using Temper.Api.Jobs;
using Temper.Api.Keys;
using Temper.Api.Live;
using Temper.Api.Notifications;
using Temper.Api.Predict;
using Temper.Api.Sessions;
using Temper.Api.Studies;
using Temper.Api.Tenants;
using Temper.Api.Verbs;
using Temper.Api.Version;
using Temper.Api.Workers;
using Temper.Domain.Serialization;
using Temper.Store;
using Temper.Store.Datasets;
using Temper.Store.Evaluations;
using Temper.Store.Events;
using Temper.Store.Keys;
using Temper.Store.Notifications;
using Temper.Store.Queue;
using Temper.Store.Studies;
using Temper.Store.Tenants;
using Temper.Telemetry;

var builder = WebApplication.CreateBuilder(new WebApplicationOptions { Args = args, ContentRootPath = AppContext.BaseDirectory });
builder.Logging.AddLines();
if (args is ["health", ..])
    return await HealthVerb.RunAsync(builder.Configuration["urls"]);

var connectionString =
    builder.Configuration.GetConnectionString("Temper")
    ?? throw new InvalidOperationException("Set ConnectionStrings__Temper, such as: Host=127.0.0.1;Username=temper;Database=temper");
if (args is ["keys", .. var command])
    return await KeyCommands.RunAsync(command, connectionString);
if (args is ["migrate", ..])
    return await MigrateVerb.RunAsync(args[1..], connectionString);

const int CommandSeconds = 5; // after this time the caller gets a 503 and need not wait longer
var database = Database.Open(connectionString, CommandSeconds);

// Polls have their own pool of connections. A larger pool gave no more answers per second and made each answer slower.
var polls = Database.Open(connectionString, CommandSeconds, connections: Math.Max(6, 3 * Environment.ProcessorCount), name: "polls");

// A request waits here only for the requests before it: lookups run one at a time, each for all requests that have come.
var lookups = Database.Open(connectionString, CommandSeconds, connections: 2, name: "lookups");
var oidc = (builder.Configuration.GetSection("Oidc").Get<OidcOptions>() ?? new()).Checked();
var exposure = new Exposure(oidc);

builder.WebHost.ConfigureKestrel(kestrel =>
{
    kestrel.AddServerHeader = false;
    ServerLimits.Set(kestrel.Limits, builder.Configuration);
    kestrel.ConfigureEndpointDefaults(exposure.Add);
});

// Each report, and an evaluation beside them, blocks a thread of the pool, and together they use one for each core. The minimum
// leaves enough threads for other requests.
ThreadPool.SetMinThreads(2 * Environment.ProcessorCount + Overload.ReportsAtOnce + 1, Environment.ProcessorCount);
if (builder.AddTelemetry("temper-api", QueueGauges.Name, serves: true, QueueGauges.ByTenant))
    builder.Services.AddHostedService<QueueGauges>();
builder.Services.AddSingleton(database);
builder.Services.AddSingleton(new Reconnection(database, polls, lookups));
builder.Services.AddSingleton(exposure);
builder.Services.AddSingleton(new KeyStore(database, lookups));
builder.Services.AddAccess(oidc);
builder.Services.AddSingleton(
    (builder.Configuration.GetSection("Notifications").Get<NotificationOptions>() ?? new()).Checked(forSending: false)
);
builder.Services.AddSingleton<Overload>();
builder.Services.AddSingleton<Uploads>();
builder.Services.AddSingleton<SignInTries>();
builder.Services.AddSingleton<JobQueue>();
builder.Services.AddSingleton(new JobReader(polls));
builder.Services.AddSingleton(new TenantStore(database, polls));
builder.Services.AddSingleton<Ownership>();
builder.Services.AddSingleton<StoredModels>();
builder.Services.AddSingleton<EvaluationStore>();
builder.Services.AddSingleton<LoadedModels>();
builder.Services.AddSingleton<FittedCalibrators>();
builder.Services.AddSingleton<JobVersions>();
builder.Services.AddSingleton<StudyQueue>();
builder.Services.AddSingleton<StudyReader>();
builder.Services.AddScoped<Estimates>();
builder.Services.AddSingleton<UploadedDatasets>();
builder.Services.AddSingleton<DatasetContents>();
builder.Services.AddSingleton<UnusedContent>();
builder.Services.AddSingleton<DatasetUpload>();
builder.Services.AddSingleton<QueueLimit>();
builder.Services.AddSingleton<EventReader>();
builder.Services.AddSingleton<EventHub>();
builder.Services.AddHostedService(services => services.GetRequiredService<EventHub>());
builder.Services.AddSingleton<StreamLimit>();
builder.Services.AddSingleton<EventStreams>();
builder.Services.AddSingleton<Schema>();
builder.Services.AddHostedService(services => services.GetRequiredService<Schema>());
builder.Services.AddDbContextPool<TemperDb>(options => options.UseNpgsql(database));
builder.Services.ConfigureHttpJsonOptions(options => Json.Configure(options.SerializerOptions));
builder.Services.AddProblemDetails(options => options.CustomizeProblemDetails = Problems.Customize);
builder.Services.AddExceptionHandler<DatabaseOutage>();
builder.Services.AddExceptionHandler<OlderBuild>();
builder.Services.AddExceptionHandler<DatasetGone>();
builder.Services.AddExceptionHandler<QuotaReached>();
builder.Services.AddExceptionHandler<DamagedModel>();
builder.Services.AddHealth();
builder.Services.AddOpenApi();
builder.Services.AddDashboard(connectionString, database);

var app = builder.Build();
app.UseSecurityHeaders();
app.UseExceptionHandler(
    new ExceptionHandlerOptions
    {
        StatusCodeSelector = exception =>
            exception is BadHttpRequestException refused ? refused.StatusCode : StatusCodes.Status500InternalServerError,
    }
);

// The framework's own page is plain text for a client that does not name JSON in Accept.
app.UseStatusCodePages(context => Problems.Refused(context.HttpContext.Response.StatusCode).ExecuteAsync(context.HttpContext));
app.UseDashboardFiles();
app.UseOpenApi();
app.UseHeads();
app.UseSameOrigin();
app.UseSchema();
app.UseAuthentication();
app.UseAuthorization();
app.UseAudit();
app.MapDashboard();
var api = app.MapApi();
api.MapJobs();
api.MapCalibration();
api.MapPredictions();
api.MapStudies();
api.MapEvaluations();
api.MapEvents();
api.MapNotifications();
api.MapDatasets();
api.MapWorkers();
api.MapTenants();
api.MapVersion();
api.MapSession();
api.MapKeys();
api.MapAudit();
app.MapHealth();

_ = app.Services.GetRequiredService<QueueLimit>(); // a wrong setting ends the process at start
_ = app.Services.GetRequiredService<StreamLimit>();
_ = app.Services.GetRequiredService<Uploads>();
_ = app.Services.GetRequiredService<LoadedModels>();
_ = app.Services.GetRequiredService<RequestLimits>();
await app.RunAsync();
return Environment.ExitCode;
