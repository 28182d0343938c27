using System.Net;
using Microsoft.EntityFrameworkCore;
using Temper.Api.Calibration;
using Temper.Api.Datasets;
using Temper.Api.Documentation;
using Temper.Api.Engine;
using Temper.Api.Evaluations;
using Temper.Api.Events;
using Temper.Api.Health;
using Temper.Api.Http;
using Temper.Api.Jobs;
using Temper.Api.Live;
using Temper.Api.Notifications;
using Temper.Api.Predict;
using Temper.Api.Sessions;
using Temper.Api.Studies;
using Temper.Api.Verbs;
using Temper.Api.Version;
using Temper.Api.Workers;
using Temper.Domain.Serialization;
using Temper.Store;
using Temper.Store.Datasets;
using Temper.Store.Evaluations;
using Temper.Store.Events;
using Temper.Store.Notifications;
using Temper.Store.Queue;
using Temper.Store.Studies;

var builder = WebApplication.CreateBuilder(new WebApplicationOptions { Args = args, ContentRootPath = AppContext.BaseDirectory });
builder.Logging.AddSimpleConsole(console => (console.SingleLine, console.TimestampFormat) = (true, "HH:mm:ss "));
if (args is ["health", ..])
    return await HealthVerb.RunAsync(builder.Configuration["urls"]);

var connectionString =
    builder.Configuration.GetConnectionString("Temper")
    ?? throw new InvalidOperationException("Set ConnectionStrings__Temper, such as: Host=127.0.0.1;Username=temper;Database=temper");
if (args is ["migrate", ..])
    return await MigrateVerb.RunAsync(args[1..], connectionString);

const int CommandSeconds = 5; // after this time the caller gets a 503 and need not wait longer
var database = Database.Open(connectionString, CommandSeconds);

// Polls have their own pool of connections. A larger pool gave no more answers per second and made each answer slower.
var polls = Database.Open(connectionString, CommandSeconds, connections: Math.Max(6, 3 * Environment.ProcessorCount));
var keys = new ApiKeys(builder.Configuration);

builder.WebHost.ConfigureKestrel(kestrel =>
{
    kestrel.AddServerHeader = false;
    kestrel.Limits.MaxRequestBodySize = PostedBody.LargestDropped;
    // With Kestrel's default of 240 bytes/s, a client that reads nothing stays connected for minutes.
    kestrel.Limits.MinResponseDataRate = new(bytesPerSecond: 4096, gracePeriod: TimeSpan.FromSeconds(10));
    kestrel.Limits.MinRequestBodyDataRate = new(bytesPerSecond: 1024, gracePeriod: TimeSpan.FromSeconds(10));
    kestrel.ConfigureEndpointDefaults(listener =>
    {
        if (!keys.Any && !(listener.IPEndPoint is { } address && IPAddress.IsLoopback(address.Address)))
            throw new InvalidOperationException(
                $"Without keys the API serves only this machine, not {listener}. Set Api__Keys__0 to a secret of 16 characters or more."
            );
    });
});

// Each report, and an evaluation beside them, blocks a thread of the pool, and together they use one for each core. The minimum
// leaves enough threads for other requests.
ThreadPool.SetMinThreads(2 * Environment.ProcessorCount + Overload.ReportsAtOnce + 1, Environment.ProcessorCount);
builder.Services.AddSingleton(database);
builder.Services.AddSingleton(new Reconnection(database, polls));
builder.Services.AddSingleton(keys);
builder.Services.AddSingleton(
    (builder.Configuration.GetSection("Notifications").Get<NotificationOptions>() ?? new()).Checked(forSending: false)
);
builder.Services.AddSingleton<Overload>();
builder.Services.AddSingleton<Uploads>();
builder.Services.AddSingleton<SignInTries>();
builder.Services.AddSingleton<JobQueue>();
builder.Services.AddSingleton(new JobReader(polls));
builder.Services.AddSingleton<StoredModels>();
builder.Services.AddSingleton<EvaluationStore>();
builder.Services.AddSingleton<LoadedModels>();
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
builder.Services.AddExceptionHandler<DatasetGone>();
builder.Services.AddExceptionHandler<DamagedModel>();
builder.Services.AddHealth();
builder.Services.AddOpenApi(keys);
builder.Services.AddDashboard(connectionString, database);

var app = builder.Build();
app.UseExceptionHandler(
    new ExceptionHandlerOptions
    {
        StatusCodeSelector = exception =>
            exception is BadHttpRequestException refused ? refused.StatusCode : StatusCodes.Status500InternalServerError,
    }
);
app.UseStatusCodePages();
app.UseHostNames();
app.UseDashboardFiles();
app.UseHeads();
app.UseSameOrigin();
app.UseApiKeys();
app.UseOpenApi();
app.UseSchema();
app.UseDashboard();
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
api.MapVersion();
api.MapSession();
app.MapHealth();

_ = app.Services.GetRequiredService<QueueLimit>(); // a wrong setting ends the process at start
_ = app.Services.GetRequiredService<StreamLimit>();
_ = app.Services.GetRequiredService<Uploads>();
_ = app.Services.GetRequiredService<LoadedModels>();
await app.RunAsync();
return Environment.ExitCode;
