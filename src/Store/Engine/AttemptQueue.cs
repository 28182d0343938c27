using System.Data;
using Hangfire.PostgreSql;
using Hangfire.Storage;
using Npgsql;

namespace Temper.Store.Engine;

/// <summary>
/// The jobs table as a queue of Hangfire's. Nothing is put into it through Hangfire: a job that is queued in the table waits in this
/// queue, and a worker that takes it out claims it.
/// </summary>
public class AttemptQueue(NpgsqlDataSource database) : IPersistentJobQueueProvider, IPersistentJobQueue, IPersistentJobQueueMonitoringApi
{
    public IPersistentJobQueue GetJobQueue() => this;

    public IPersistentJobQueueMonitoringApi GetJobQueueMonitoringApi() => this;

    public void Enqueue(IDbConnection connection, string queue, string jobId) { }

    /// <summary>Only a worker takes attempts out.</summary>
    public virtual IFetchedJob Dequeue(string[] queues, CancellationToken cancellationToken) =>
        throw new NotSupportedException("Only a worker takes attempts.");

    public IEnumerable<string> GetQueues() => [EngineStorage.Trainings];

    /// <summary>None: a waiting job has no job of Hangfire's yet. GET /jobs?state=queued lists them.</summary>
    public IEnumerable<long> GetEnqueuedJobIds(string queue, int from, int perPage) => [];

    public IEnumerable<long> GetFetchedJobIds(string queue, int from, int perPage) => [];

    public EnqueuedAndFetchedCountDto GetEnqueuedAndFetchedCount(string queue)
    {
        using var command = database.CreateCommand(
            "SELECT count(*) FILTER (WHERE state = 'queued'), count(*) FILTER (WHERE state = 'running') FROM jobs WHERE state IN "
                + "('queued', 'running')"
        );
        using var row = command.ExecuteReader();
        row.Read();
        return new() { EnqueuedCount = row.GetInt64(0), FetchedCount = row.GetInt64(1) };
    }
}
