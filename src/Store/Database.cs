using Npgsql;

namespace Temper.Store;

/// <summary>How every process of ours opens the database.</summary>
public static class Database
{
    /// <summary>More than the statements of the queue and of the API's reads.</summary>
    private const int PreparedStatements = 64;

    /// <summary>
    /// A server that answers at all does so much sooner; one behind a network that drops everything never does. What the
    /// connection string says stands.
    /// </summary>
    private const int ConnectSeconds = 2;

    /// <summary>
    /// Statements used twice on a connection are prepared: planning the queue's would take longer than running them. Nothing of
    /// ours leaves a setting behind on a pooled connection, so none is reset, which would cost a statement at each use.
    /// </summary>
    /// <param name="commandSeconds">How long a statement may take before it counts as unanswered.</param>
    /// <param name="connections">At most.</param>
    public static NpgsqlDataSource Open(string connectionString, int commandSeconds = 30, int connections = 100) =>
        NpgsqlDataSource.Create(
            $"Command Timeout={commandSeconds};Maximum Pool Size={connections};No Reset On Close=true;"
                + $"Max Auto Prepare={PreparedStatements};Auto Prepare Min Usages=2;{WithTimeout(connectionString)}"
        );

    /// <summary>For a connection outside the pool.</summary>
    public static string WithTimeout(string connectionString) => $"Timeout={ConnectSeconds};{connectionString}";
}
