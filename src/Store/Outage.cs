using System.Net.Sockets;
using Npgsql;

namespace Temper.Store;

/// <summary>Recognizes the database errors that pass by themselves, so that a later retry can succeed.</summary>
public static class Outage
{
    /// <returns>The outage within an exception, which EF Core wraps once or twice; null when the cause is no outage.</returns>
    public static NpgsqlException? Behind(Exception? exception)
    {
        for (; exception is not null; exception = exception.InnerException)
            if (exception is NpgsqlException cause && cause.IsOutage())
                return cause;
            else if (exception is TimeoutException) // Npgsql throws it bare when the first connection of a pool takes too long
                return new NpgsqlException(exception.Message, exception);
        return null;
    }

    /// <summary>
    /// Whether the connection broke, as every connection does when the server restarts. A timeout does not count, because another
    /// try would wait as long.
    /// </summary>
    public static bool IsBrokenConnection(Exception exception) =>
        Behind(exception) is { } cause
        && (
            cause.InnerException is IOException or SocketException
            || cause.SqlState is PostgresErrorCodes.AdminShutdown or PostgresErrorCodes.CrashShutdown
        );

    /// <summary>
    /// True for errors that Npgsql calls transient, exhausted resources (class 53, such as a full disk or too many connections),
    /// an operator's intervention (57), system errors such as of the disk (58), and a server that is read-only for now.
    /// </summary>
    public static bool IsOutage(this NpgsqlException e) =>
        e.IsTransient || e.SqlState is PostgresErrorCodes.ReadOnlySqlTransaction || e.SqlState?[..2] is "53" or "57" or "58";
}
