using System.Net.Sockets;
using Npgsql;

namespace Temper.Store;

/// <summary>Which of the database's errors pass by themselves, so that asking again later is right.</summary>
public static class Outage
{
    /// <returns>The outage behind an exception, which EF wraps once or twice; null where it is something else.</returns>
    public static NpgsqlException? Behind(Exception? exception)
    {
        for (; exception is not null; exception = exception.InnerException)
            if (exception is NpgsqlException cause && cause.IsOutage())
                return cause;
        return null;
    }

    /// <summary>
    /// Whether the connection broke, as each does when the server restarts; not whether the server is silent, which
    /// another try would only hear for as long.
    /// </summary>
    public static bool IsBrokenConnection(Exception exception) =>
        Behind(exception) is { } cause
        && (
            cause.InnerException is IOException or SocketException
            || cause.SqlState is PostgresErrorCodes.AdminShutdown or PostgresErrorCodes.CrashShutdown
        );

    /// <summary>
    /// What Npgsql calls transient, resources used up (class 53: a full disk, connections), an operator's intervention (57),
    /// errors of the disk (58), and a server that only reads for now.
    /// </summary>
    public static bool IsOutage(this NpgsqlException e) =>
        e.IsTransient || e.SqlState is PostgresErrorCodes.ReadOnlySqlTransaction || e.SqlState?[..2] is "53" or "57" or "58";
}
