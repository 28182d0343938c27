using Temper.Domain.Jobs;
using Temper.Store.Rows;

namespace Temper.Store.Queue;

/// <param name="Tenant">The owner of the jobs, or <see cref="QueueLoad.OtherTenants"/>.</param>
/// <param name="State">Queued or running.</param>
/// <param name="Device">The device that the jobs' specs ask for: `auto`, `cpu` or `cuda`.</param>
/// <param name="OldestSeconds">For how long the job that waits longest could have been claimed; 0 while none could.</param>
public sealed record JobLoad(string Tenant, JobState State, string Device, long Jobs, double OldestSeconds);

/// <param name="State">`alive`, `draining`, `drained`, `suspended` or `silent`, as in GET /workers.</param>
/// <param name="Device">The device that the workers train on: `cpu` or `cuda`.</param>
/// <param name="Slots">Their slots together.</param>
public sealed record WorkerLoad(string State, string Device, long Workers, long Slots);

/// <summary>What waits and what runs. A tenant, state and device without jobs has no entry, nor has a state without workers.</summary>
/// <param name="DatabaseBytes">Size of the database on its disk.</param>
public sealed record QueueLoad(IReadOnlyList<JobLoad> Jobs, IReadOnlyList<WorkerLoad> Workers, long DatabaseBytes)
{
    /// <summary>Stands for all tenants but those that are told apart. No tenant can have this name.</summary>
    public const string OtherTenants = "(others)";

    /// <summary>The most tenants that are told apart: those with the most jobs queued or running.</summary>
    public const int MostTenants = 100;
}

public sealed partial class JobQueue
{
    /// <summary>Counts the jobs and workers in one statement. Blocks: metrics are read in callbacks that cannot wait otherwise.</summary>
    public QueueLoad ReadLoad()
    {
        using var command = database.CreateCommand(
            $"""
            WITH held AS (
                SELECT tenant, state, device, count(*) AS jobs, min(run_at) FILTER (WHERE run_at <= clock_timestamp()) AS oldest
                FROM (SELECT tenant, state, device, run_at FROM jobs WHERE state = 'queued' -- each half has an index; IN has none
                      UNION ALL SELECT tenant, state, device, run_at FROM jobs WHERE state = 'running') each
                GROUP BY tenant, state, device),
            told AS (SELECT tenant FROM held GROUP BY tenant ORDER BY sum(jobs) DESC, tenant LIMIT {QueueLoad.MostTenants})
            SELECT 'job', coalesce(told.tenant, '{QueueLoad.OtherTenants}'), state, device, sum(jobs)::bigint, 0::bigint,
                   coalesce(extract(epoch FROM clock_timestamp() - min(oldest)), 0)::float8
            FROM held LEFT JOIN told USING (tenant) GROUP BY told.tenant, state, device
            UNION ALL
            SELECT 'worker', '', state, device, count(*), sum(slots), 0
            FROM (SELECT {WorkerRow.StateSql} AS state, device, slots FROM workers) states GROUP BY state, device
            UNION ALL
            SELECT 'database', '', '', '', pg_database_size(current_database()), 0, 0
            """
        );
        var (jobs, workers, bytes) = (new List<JobLoad>(), new List<WorkerLoad>(), 0L);
        using var row = command.ExecuteReader();
        while (row.Read())
        {
            var (of, state, device, count) = (row.GetString(0), row.GetString(2), row.GetString(3), row.GetInt64(4));
            if (of == "job")
                jobs.Add(new(row.GetString(1), Enum.Parse<JobState>(state, ignoreCase: true), device, count, row.GetDouble(6)));
            else if (of == "worker")
                workers.Add(new(state, device, count, row.GetInt64(5)));
            else
                bytes = count;
        }
        return new(jobs, workers, bytes);
    }
}
