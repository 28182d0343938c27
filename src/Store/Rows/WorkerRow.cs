using System.Linq.Expressions;

namespace Temper.Store.Rows;

/// <summary>A worker process that is alive, or was when it last wrote.</summary>
public sealed class WorkerRow
{
    /// <summary>A heartbeat older than this, three times its interval, makes a worker silent.</summary>
    public const int SilentAfterSeconds = 3;

    /// <summary>By the database's clock, within a query.</summary>
    public static Expression<Func<WorkerRow, bool>> IsAlive { get; } =
        worker => worker.HeartbeatAt > DateTimeOffset.UtcNow.AddSeconds(-SilentAfterSeconds);

    public Guid Id { get; init; }

    /// <summary>Host and process id, for people.</summary>
    public required string Name { get; init; }

    /// <summary>The advisory lock it holds while its presence connection lives.</summary>
    public long PresenceKey { get; init; }

    /// <summary>What its runners train on: `cpu` or `cuda`.</summary>
    public required string Device { get; init; }

    /// <summary>Jobs it runs at once.</summary>
    public int Slots { get; init; }

    public DateTimeOffset StartedAt { get; init; }
    public DateTimeOffset HeartbeatAt { get; init; }

    /// <summary>Why it takes no jobs for now; null when it does.</summary>
    public string? SuspendedReason { get; init; }

    public List<JobRow> Jobs { get; init; } = [];
}
