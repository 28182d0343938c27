using Hangfire;
using Hangfire.AspNetCore;
using Hangfire.Common;
using Hangfire.Server;
using Hangfire.States;
using Temper.Store.Engine;
using Temper.Store.Queue;

namespace Temper.Worker.Engine;

/// <summary>
/// Hangfire's server on this worker: a pool of threads for attempts, another for ordinary jobs, and the schedulers of
/// those.
/// </summary>
internal static class EngineServer
{
    /// <summary>For Hangfire's statements, which are small.</summary>
    public const int CommandSeconds = 10;

    /// <summary>Threads for ordinary jobs.</summary>
    private const int OrdinaryThreads = 2;

    private const string SettleStudies = "settle-studies",
        CleanUp = "clean-up",
        RemoveExpired = "remove-expired";

    /// <summary>Each slot has a thread that trains, and one that tells Hangfire how the attempt before ended, or claims the next.</summary>
    private static int TrainingThreads(int slots) => 2 * slots;

    /// <summary>Connections that Hangfire may use at once: one for each thread, and its own processes.</summary>
    public static int Connections(int slots) => TrainingThreads(slots) + OrdinaryThreads + 10;

    /// <summary>Hangfire's settings that hold for the process.</summary>
    public static void Configure(ILoggerFactory loggers)
    {
        GlobalConfiguration.Configuration.UseLogProvider(new AspNetCoreLogProvider(loggers));
        // Writes two parameters for each job; our messages have one culture.
        foreach (var filter in GlobalJobFilters.Filters.Where(filter => filter.Instance is CaptureCultureAttribute).ToList())
            GlobalJobFilters.Filters.Remove(filter.Instance);
    }

    public static BackgroundProcessingServer Start(
        JobStorage storage,
        WorkerIdentity worker,
        TrainingJob training,
        Housekeeping housekeeping,
        AttemptSweep sweep,
        ILogger log
    )
    {
        var performer = new BackgroundJobPerformer(JobFilterProviders.Providers, new JobTypes(training, housekeeping));
        return new(
            storage,
            [
                new Hangfire.Server.Worker([EngineStorage.Trainings], performer, new AttemptStateChanger(log)).UseBackgroundPool(
                    TrainingThreads(worker.Slots)
                ),
                new Hangfire.Server.Worker(
                    [EngineStorage.Ordinary],
                    performer,
                    new BackgroundJobStateChanger(JobFilterProviders.Providers)
                ).UseBackgroundPool(OrdinaryThreads),
                new DelayedJobScheduler(TimeSpan.FromSeconds(5)).UseBackgroundPool(1),
                new RecurringJobScheduler().UseBackgroundPool(1),
                sweep.UseBackgroundPool(1),
            ],
            new Dictionary<string, object>
            {
                ["Queues"] = new[] { EngineStorage.Trainings, EngineStorage.Ordinary },
                ["WorkerCount"] = worker.Slots + OrdinaryThreads,
            },
            new BackgroundProcessingServerOptions
            {
                ServerName = AttemptSweep.ServerName(worker),
                HeartbeatInterval = TimeSpan.FromSeconds(5),
                ServerTimeout = TimeSpan.FromMinutes(5),
                ServerCheckInterval = TimeSpan.FromSeconds(30),
                CancellationCheckInterval = TimeSpan.FromSeconds(15),
                // After an outage the next attempt begins soon; Hangfire's own delay grows to minutes.
                RetryDelay = _ => TimeSpan.FromSeconds(1),
                RestartDelay = TimeSpan.FromSeconds(1),
                StopTimeout = TimeSpan.Zero,
                // Attempts end by their own rules, sooner than this.
                ShutdownTimeout = TimeSpan.FromMinutes(1),
            }
        );
    }

    /// <summary>
    /// What runs every minute or every hour on one of the workers. Each worker stores these jobs at its start and every five minutes;
    /// the last one that does so decides.
    /// </summary>
    public static void AddRecurringJobs(JobStorage storage)
    {
        var recurring = new RecurringJobManager(storage);
        recurring.AddOrUpdate(
            SettleStudies,
            Job.FromExpression<Housekeeping>(housekeeping => housekeeping.SettleStudiesAsync()),
            Cron.Minutely()
        );
        recurring.AddOrUpdate(CleanUp, Job.FromExpression<Housekeeping>(housekeeping => housekeeping.CleanUpAsync()), Cron.Minutely());
        recurring.AddOrUpdate(
            RemoveExpired,
            Job.FromExpression<Housekeeping>(housekeeping => housekeeping.RemoveExpiredAsync()),
            Cron.Hourly()
        );
    }

    private sealed class JobTypes(TrainingJob training, Housekeeping housekeeping) : JobActivator
    {
        public override object ActivateJob(Type jobType) =>
            jobType == typeof(ITraining) ? training
            : jobType == typeof(Housekeeping) ? housekeeping
            : throw new InvalidOperationException($"This worker does not know jobs of {jobType}.");
    }
}
