using Npgsql;

namespace Temper.Store;

/// <summary>Which of the database's errors pass by themselves, so that asking again later is right.</summary>
public static class Outage
{
    /// <summary>
    /// What Npgsql calls transient, resources used up (class 53: a full disk, connections), an operator's intervention (57),
    /// errors of the disk (58), and a server that only reads for now.
    /// </summary>
    public static bool IsOutage(this NpgsqlException e) =>
        e.IsTransient || e.SqlState is PostgresErrorCodes.ReadOnlySqlTransaction || e.SqlState?[..2] is "53" or "57" or "58";
}
