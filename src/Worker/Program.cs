using Temper.Store;
using Temper.Store.Notifications;
using Temper.Store.Retention;
using Temper.Telemetry;
using Temper.Worker;
using Temper.Worker.Instruments;
using Temper.Worker.Runner;
using Temper.Worker.Supervisor;

// `Temper.Worker` starts the worker. The worker starts `Temper.Worker runner --slot=0 --threads=2` for each of its slots.
// `Temper.Worker health` is the health check of its image.
var builder = Host.CreateApplicationBuilder(new HostApplicationBuilderSettings { Args = args, ContentRootPath = AppContext.BaseDirectory });
var options = WorkerOptions.From(builder.Configuration);

if (args is ["runner", ..])
    return RunnerProgram.Start(builder.Configuration.GetValue<int>("slot"), builder.Configuration.GetValue<int>("threads"), options);
if (args is ["health"])
    return AliveFile.IsFresh(options.AliveFile) ? 0 : 1;

var connectionString =
    options.ConnectionString
    ?? throw new InvalidOperationException("Set ConnectionStrings__Temper, such as: Host=127.0.0.1;Username=temper;Database=temper");
builder.Logging.AddLines();
builder.AddTelemetry("temper-worker", WorkerMeter.Name, serves: false, byTenant: []);
builder.Services.AddSingleton(options);
builder.Services.AddSingleton((builder.Configuration.GetSection("Retention").Get<RetentionOptions>() ?? new()).Checked());
builder.Services.AddSingleton(
    (builder.Configuration.GetSection("Notifications").Get<NotificationOptions>() ?? new()).Checked(forSending: true)
);
builder.Services.AddSingleton(Database.Open(connectionString));
builder.Services.AddHostedService<AliveFile>();
builder.Services.AddHostedService<WorkerService>();
builder.Services.Configure<HostOptions>(host => host.ShutdownTimeout = TimeSpan.FromSeconds(9));
await builder.Build().RunAsync();
return Environment.ExitCode;
