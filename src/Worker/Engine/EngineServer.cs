using Hangfire;
using Hangfire.AspNetCore;
using Hangfire.Common;
using Hangfire.Server;
using Hangfire.States;
using Temper.Store.Engine;
using Temper.Store.Queue;

namespace Temper.Worker.Engine;

/// <summary>
/// Hangfire's server on this worker: pools of threads for attempts, for ordinary jobs and for notifications, and the schedulers
/// of ordinary jobs.
/// </summary>
internal static class EngineServer
{
    /// <summary>Timeout of Hangfire's SQL statements, which are small.</summary>
    public const int CommandSeconds = 10;

    /// <summary>Threads for ordinary jobs.</summary>
    private const int OrdinaryThreads = 2;

    /// <summary>Threads for notifications, each of which waits for a receiver.</summary>
    private const int NotificationThreads = 2;

    private const string SettleStudies = "settle-studies",
        CleanUp = "clean-up",
        RemoveExpired = "remove-expired",
        Notify = "notify";

    /// <summary>Two per slot: one trains, the other reports how the last attempt ended or claims the next.</summary>
    private static int TrainingThreads(int slots) => 2 * slots;

    /// <summary>Connections that Hangfire may use at once: one for each thread, and 10 for its own processes.</summary>
    public static int Connections(int slots) => TrainingThreads(slots) + OrdinaryThreads + NotificationThreads + 10;

    /// <summary>Applies Hangfire's process-wide settings.</summary>
    public static void Configure(ILoggerFactory loggers)
    {
        GlobalConfiguration.Configuration.UseLogProvider(new AspNetCoreLogProvider(loggers));
        // This filter writes two parameters for each job, and our messages have one culture.
        foreach (var filter in GlobalJobFilters.Filters.Where(filter => filter.Instance is CaptureCultureAttribute).ToList())
            GlobalJobFilters.Filters.Remove(filter.Instance);
    }

    public static BackgroundProcessingServer Start(
        JobStorage storage,
        WorkerIdentity worker,
        TrainingJob training,
        Housekeeping housekeeping,
        Notifying notifying,
        AttemptSweep sweep,
        ILogger log
    )
    {
        var performer = new BackgroundJobPerformer(JobFilterProviders.Providers, new JobTypes(training, housekeeping, notifying));
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
                new Hangfire.Server.Worker(
                    [EngineStorage.Notifications],
                    performer,
                    new BackgroundJobStateChanger(JobFilterProviders.Providers)
                ).UseBackgroundPool(NotificationThreads),
                new DelayedJobScheduler(TimeSpan.FromSeconds(5)).UseBackgroundPool(1),
                new RecurringJobScheduler().UseBackgroundPool(1),
                sweep.UseBackgroundPool(1),
            ],
            new Dictionary<string, object>
            {
                ["Queues"] = new[] { EngineStorage.Trainings, EngineStorage.Ordinary, EngineStorage.Notifications },
                ["WorkerCount"] = worker.Slots + OrdinaryThreads + NotificationThreads,
            },
            new BackgroundProcessingServerOptions
            {
                ServerName = AttemptSweep.ServerName(worker),
                HeartbeatInterval = TimeSpan.FromSeconds(5),
                ServerTimeout = TimeSpan.FromMinutes(5),
                ServerCheckInterval = TimeSpan.FromSeconds(30),
                CancellationCheckInterval = TimeSpan.FromSeconds(15),
                // Hangfire's own delay grows to minutes; this one lets an attempt begin soon after an outage.
                RetryDelay = _ => TimeSpan.FromSeconds(1),
                RestartDelay = TimeSpan.FromSeconds(1),
                StopTimeout = TimeSpan.Zero,
                // The worker ends its attempts sooner than this.
                ShutdownTimeout = TimeSpan.FromMinutes(1),
            }
        );
    }

    /// <summary>
    /// Stores the jobs that run every minute or every hour on one of the workers. Each worker does this at its start and every
    /// five minutes; the last call overwrites the earlier ones.
    /// </summary>
    public static void AddRecurringJobs(JobStorage storage)
    {
        var recurring = new RecurringJobManager(storage);
        recurring.AddOrUpdate(
            SettleStudies,
            Job.FromExpression<Housekeeping>(housekeeping => housekeeping.SettleStudiesAsync()),
            Cron.Minutely()
        );
        recurring.AddOrUpdate(Notify, Job.FromExpression<INotifying>(notifying => notifying.CollectAsync()), Cron.Minutely());
        recurring.AddOrUpdate(CleanUp, Job.FromExpression<Housekeeping>(housekeeping => housekeeping.CleanUpAsync()), Cron.Minutely());
        recurring.AddOrUpdate(
            RemoveExpired,
            Job.FromExpression<Housekeeping>(housekeeping => housekeeping.RemoveExpiredAsync()),
            Cron.Hourly()
        );
    }

    private sealed class JobTypes(TrainingJob training, Housekeeping housekeeping, Notifying notifying) : JobActivator
    {
        public override object ActivateJob(Type jobType) =>
            jobType == typeof(ITraining) ? training
            : jobType == typeof(Housekeeping) ? housekeeping
            : jobType == typeof(INotifying) ? notifying
            : throw new InvalidOperationException($"This worker does not know jobs of {jobType}.");
    }
}
