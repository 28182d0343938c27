using System.Globalization;
using System.Text.RegularExpressions;
using Hangfire.PostgreSql;
using Npgsql;

namespace Temper.Store.Engine;

/// <summary>
/// Creates Hangfire's tables. Four processes that create them at once disturb each other, so the Migrator creates them while
/// it holds its lock.
/// </summary>
internal static partial class EngineSchema
{
    /// <summary>Schema version of this build's Hangfire.PostgreSql: the number of its last install script.</summary>
    private static readonly int Version = typeof(PostgreSqlObjectsInstaller)
        .Assembly.GetManifestResourceNames()
        .Select(name => ScriptName().Match(name))
        .Where(match => match.Success)
        .Max(match => int.Parse(match.Groups[1].Value, CultureInfo.InvariantCulture));

    /// <summary>Whether the version in hangfire.schema, a table of one row, is at least this build's.</summary>
    public static async Task<bool> IsCurrentAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        await using var exists = new NpgsqlCommand("SELECT to_regclass('hangfire.schema') IS NOT NULL", connection) { CommandTimeout = 0 };
        if (!(bool)(await exists.ExecuteScalarAsync(cancellationToken))!)
            return false;
        await using var version = new NpgsqlCommand("SELECT coalesce(max(version), 0) >= $1 FROM hangfire.schema", connection)
        {
            CommandTimeout = 0,
            Parameters = { new() { Value = Version } },
        };
        return (bool)(await version.ExecuteScalarAsync(cancellationToken))!;
    }

    public static async Task InstallAsync(NpgsqlDataSource database, CancellationToken cancellationToken)
    {
        await using var connection = await database.OpenConnectionAsync(cancellationToken);
        if (!await IsCurrentAsync(connection, cancellationToken))
            PostgreSqlObjectsInstaller.Install(connection);
    }

    [GeneratedRegex(@"\.Install\.v(\d+)\.sql$")]
    private static partial Regex ScriptName();
}
