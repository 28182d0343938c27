using Npgsql;

namespace Temper.Store;

/// <summary>Opens the database for every process of the service.</summary>
public static class Database
{
    /// <summary>More than the number of different statements of the queue and of the API's reads.</summary>
    private const int PreparedStatements = 64;

    /// <summary>
    /// Connection timeout in seconds. A reachable server answers much sooner; a server behind a network that drops packets never
    /// does. A timeout in the connection string overrides it.
    /// </summary>
    private const int ConnectSeconds = 2;

    /// <summary>
    /// Opens a pool. A connection prepares each statement at its second use, because planning the queue's statements takes longer
    /// than running them. No code of the service leaves a setting on a pooled connection, so the pool does not reset connections,
    /// which would cost a statement at each use.
    /// </summary>
    /// <param name="commandSeconds">Timeout of a statement, in seconds.</param>
    /// <param name="connections">The most connections of the pool.</param>
    /// <param name="name">The pool's name in metrics.</param>
    public static NpgsqlDataSource Open(string connectionString, int commandSeconds = 30, int connections = 100, string name = "main") =>
        new NpgsqlDataSourceBuilder(
            $"Command Timeout={commandSeconds};Maximum Pool Size={connections};No Reset On Close=true;"
                + $"Max Auto Prepare={PreparedStatements};Auto Prepare Min Usages=2;{WithTimeout(connectionString)}"
        )
        {
            Name = name,
        }.Build();

    /// <summary>Adds the connection timeout to a connection string, for a connection outside the pool.</summary>
    public static string WithTimeout(string connectionString) => $"Timeout={ConnectSeconds};{connectionString}";
}
