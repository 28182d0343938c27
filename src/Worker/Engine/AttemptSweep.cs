using System.Globalization;
using Hangfire;
using Hangfire.Server;
using Hangfire.States;
using Temper.Store.Engine;
using Temper.Store.Queue;

namespace Temper.Worker.Engine;

/// <summary>
/// Tells Hangfire how an attempt ended when the attempt's worker could not: the worker died, or another worker took the job. The
/// arguments of the Hangfire job name the attempt, and the attempts table has its outcome.
/// </summary>
internal sealed class AttemptSweep(JobQueue queue, WorkerIdentity worker, ILogger log) : IBackgroundProcess
{
    private const int MostAtOnce = 10_000;

    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(5);

    private readonly AutoResetEvent wake = new(false);
    private HashSet<string> silentServers = [];

    /// <summary>Runs the sweep now, because an attempt ended that its worker will not report.</summary>
    public void Wake() => wake.Set();

    /// <summary>A server name with the worker's id. Hangfire appends its process and a number.</summary>
    public static string ServerName(WorkerIdentity worker) => $"{Environment.MachineName}:{worker.Id:N}";

    public void Execute(BackgroundProcessContext context)
    {
        var woken = WaitHandle.WaitAny([context.StoppingToken.WaitHandle, wake], Interval) == 1;
        context.StoppingToken.ThrowIfCancellationRequested();
        // Only at the interval, because a server must look dead in two checks that far apart.
        if (!woken)
            RemoveDeadServers(context.Storage);
        Sweep(context.Storage);
    }

    private void Sweep(JobStorage storage)
    {
        var processing = new Dictionary<(Guid, int), string>();
        foreach (var (id, one) in storage.GetMonitoringApi().ProcessingJobs(0, MostAtOnce))
            if (one?.Job is { } job && job.Type == typeof(ITraining))
                processing[((Guid)job.Args[0], Convert.ToInt32(job.Args[1], CultureInfo.InvariantCulture))] = id;
        if (processing.Count == 0)
            return;
        var client = new BackgroundJobClient(storage);
        foreach (var ended in queue.EndedAsync([.. processing.Keys], CancellationToken.None).GetAwaiter().GetResult())
        {
            try
            {
                // From Processing only, so that a state which the worker reported in between is kept.
                if (
                    !client.ChangeState(
                        processing[(ended.Job, ended.Attempt)],
                        new AttemptResult(ended.Outcome, ended.Reason).ToState(),
                        ProcessingState.StateName
                    )
                )
                    continue;
                log.LogInformation(
                    "Job {JobId} attempt {Attempt}: Hangfire was told that it is {Outcome}",
                    ended.Job,
                    ended.Attempt,
                    ended.Outcome
                );
            }
            catch (Exception e)
            {
                log.LogWarning(
                    "Job {JobId} attempt {Attempt}: Hangfire was not told that it is {Outcome}, trying again: {Reason}",
                    ended.Job,
                    ended.Attempt,
                    ended.Outcome,
                    e.Message
                );
            }
        }
    }

    /// <summary>
    /// Removes the servers of dead workers, which Hangfire would show for minutes. After an outage every worker looks dead at
    /// first. So a server must look dead in two checks, and the checking worker must look alive. A live server that was removed
    /// registers again.
    /// </summary>
    private void RemoveDeadServers(JobStorage storage)
    {
        var servers = storage.GetMonitoringApi().Servers();
        var living = queue.LivingWorkersAsync(CancellationToken.None).GetAwaiter().GetResult();
        var silent = living.Contains(worker.Id)
            ? servers.Select(server => server.Name).Where(name => WorkerOf(name) is { } id && !living.Contains(id)).ToHashSet()
            : [];
        using var connection = storage.GetConnection();
        foreach (var name in silent.Intersect(silentServers))
            connection.RemoveServer(name);
        silentServers = silent;
    }

    private static Guid? WorkerOf(string server) =>
        server.Split(':') is [.., var id, _, _] && Guid.TryParseExact(id, "N", out var parsed) ? parsed : null;
}
