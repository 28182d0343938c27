using System.Linq.Expressions;
using Temper.Domain.Workers;

namespace Temper.Store.Rows;

/// <summary>A worker process that sends heartbeats, or that stopped sending them and is not yet removed.</summary>
public sealed class WorkerRow
{
    /// <summary>A worker is silent when its last heartbeat is older than this, three times the heartbeat interval.</summary>
    public const int SilentAfterSeconds = 3;

    /// <summary>SQL expression over a row of workers: its state, as in GET /workers.</summary>
    public static string StateSql { get; } =
        $"""
            CASE WHEN heartbeat_at <= clock_timestamp() - interval '{SilentAfterSeconds} seconds' THEN 'silent'
                 WHEN draining THEN CASE WHEN EXISTS (SELECT FROM jobs WHERE worker_id = workers.id) THEN 'draining' ELSE 'drained' END
                 WHEN suspended_reason IS NULL THEN 'alive' ELSE 'suspended' END
            """;

    /// <summary>For use in a query, which evaluates it with the database's clock.</summary>
    public static Expression<Func<WorkerRow, bool>> IsAlive { get; } =
        worker => worker.HeartbeatAt > DateTimeOffset.UtcNow.AddSeconds(-SilentAfterSeconds);

    public Guid Id { get; init; }

    /// <summary>Host name and process id, for display.</summary>
    public required string Name { get; init; }

    /// <summary>Key of the advisory lock that the worker holds while its presence connection is open.</summary>
    public long PresenceKey { get; init; }

    /// <summary>The device its runners train on: `cpu` or `cuda`.</summary>
    public required string Device { get; init; }

    /// <summary>Number of jobs that it runs at the same time.</summary>
    public int Slots { get; init; }

    /// <summary>The latest revision of the format of specs that its build knows.</summary>
    public int SpecRevision { get; init; }

    public DateTimeOffset StartedAt { get; init; }
    public DateTimeOffset HeartbeatAt { get; init; }

    /// <summary>Why the worker takes no jobs for now; null when it takes jobs.</summary>
    public string? SuspendedReason { get; init; }

    /// <summary>Whether an operator drains it: it claims no job, and finishes those that it runs.</summary>
    public bool Draining { get; init; }

    /// <summary>The cards that its slots train on; empty on a worker without cards.</summary>
    public IReadOnlyList<WorkerDevice> Devices { get; init; } = [];

    public List<JobRow> Jobs { get; init; } = [];
}
