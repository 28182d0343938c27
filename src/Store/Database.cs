using Npgsql;

namespace Temper.Store;

/// <summary>How every process of ours opens the database.</summary>
public static class Database
{
    /// <summary>More than the statements of the queue and of the API's reads.</summary>
    private const int PreparedStatements = 64;

    /// <summary>Statements used twice on a connection are prepared: planning the queue's would take longer than running them.</summary>
    public static NpgsqlDataSource Open(string connectionString) => NpgsqlDataSource.Create(new NpgsqlConnectionStringBuilder(connectionString)
    {
        MaxAutoPrepare = PreparedStatements,
        AutoPrepareMinUsages = 2,
    });
}
