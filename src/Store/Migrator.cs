using System.Reflection;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Migrations;
using Microsoft.Extensions.Logging;
using Npgsql;
using Temper.Store.Engine;

namespace Temper.Store;

/// <summary>Migrates the database to this build's schema. Several processes may do so at once.</summary>
public static class Migrator
{
    /// <summary>
    /// Key of a lock around the whole migration. EF Core decides which migrations are pending before it takes its own lock, so
    /// two processes that start on an empty database collide (error 42P07 in 9 of 11 runs). With this lock the second process
    /// finds nothing to do.
    /// </summary>
    private const long GateKey = 0x74656D7065720001; // "temper" 1

    /// <summary>Ids of this build's migrations.</summary>
    private static readonly string[] Ids =
    [
        .. typeof(Migrator).Assembly.GetTypes().Select(type => type.GetCustomAttribute<MigrationAttribute>()?.Id).OfType<string>(),
    ];

    private const string IsNotReached = ">= pg_snapshot_xmax(pg_current_snapshot())";

    /// <summary>The columns with ids of transactions, and which rows have one that this server has not reached.</summary>
    private static readonly (string Table, string Column, string Condition)[] OfOtherServers =
    [
        ("jobs", "state_changed", $"state_changed {IsNotReached}"),
        ("jobs", "attempt_changed", $"state = 'running' AND attempt_changed {IsNotReached}"),
        ("attempts", "changed", $"changed {IsNotReached}"),
        ("epochs", "changed", $"changed {IsNotReached}"),
        ("studies", "changed", $"changed {IsNotReached}"),
    ];

    private static readonly TimeSpan RetryDelay = TimeSpan.FromSeconds(1);

    /// <summary>Migrates, and waits while the database is unreachable. It throws when the database refuses.</summary>
    public static async Task MigrateWhenUpAsync(NpgsqlDataSource database, ILogger log, CancellationToken cancellationToken)
    {
        while (true)
        {
            try
            {
                await MigrateAsync(database, cancellationToken);
                return;
            }
            catch (Exception e) when (Outage.Behind(e) is not null)
            {
                log.LogWarning("Waiting for the database: {Reason}", e.Message);
                await Task.Delay(RetryDelay, cancellationToken);
            }
        }
    }

    public static async Task MigrateAsync(NpgsqlDataSource database, CancellationToken cancellationToken)
    {
        if (!await IsCurrentAsync(database, cancellationToken))
            await ApplyAsync(database, cancellationToken);
    }

    private static async Task ApplyAsync(NpgsqlDataSource database, CancellationToken cancellationToken)
    {
        await using var gate = await database.OpenConnectionAsync(cancellationToken);
        // The end of the transaction releases the lock, even after an error.
        await using var held = await gate.BeginTransactionAsync(cancellationToken);
        await using var take = new NpgsqlCommand("SELECT pg_advisory_xact_lock($1)", gate, held)
        {
            Parameters = { new() { Value = GateKey } },
            CommandTimeout = 0,
        };
        await take.ExecuteNonQueryAsync(cancellationToken);

        await using var db = new TemperDb(new DbContextOptionsBuilder<TemperDb>().UseNpgsql(database).Options);
        db.Database.SetCommandTimeout(0); // an index on a million rows takes long
        if ((await db.Database.GetAppliedMigrationsAsync(cancellationToken)).Except(Ids).Any())
            throw new InvalidOperationException(
                "The database has the schema of another build of Temper, which this one does not know. Use that build, or another database."
            );
        await db.Database.MigrateAsync(cancellationToken);
        await EngineSchema.InstallAsync(database, cancellationToken);
        await ForgetOtherServersAsync(database, cancellationToken);
    }

    /// <summary>
    /// A dump keeps the ids of transactions of the server that it comes from. Those that this server has not reached would be
    /// taken for transactions of its own once it reaches them.
    /// </summary>
    private static async Task ForgetOtherServersAsync(NpgsqlDataSource database, CancellationToken cancellationToken)
    {
        await using var forget = database.CreateCommand(
            string.Concat(OfOtherServers.Select(ids => $"UPDATE {ids.Table} SET {ids.Column} = NULL WHERE {ids.Condition};"))
        );
        forget.CommandTimeout = 0; // after a restore all rows may be such
        await forget.ExecuteNonQueryAsync(cancellationToken);
    }

    /// <summary>
    /// Checks without EF Core, which needs two seconds to build its model and its plan. Nearly every start finds nothing to do.
    /// </summary>
    private static async Task<bool> IsCurrentAsync(NpgsqlDataSource database, CancellationToken cancellationToken)
    {
        await using var connection = await database.OpenConnectionAsync(cancellationToken);
        await using var isKept = new NpgsqlCommand("""SELECT to_regclass('"__EFMigrationsHistory"') IS NOT NULL""", connection)
        {
            CommandTimeout = 0,
        };
        if (!(bool)(await isKept.ExecuteScalarAsync(cancellationToken))!)
            return false;
        await using var count = new NpgsqlCommand(
            """SELECT count(*) FROM "__EFMigrationsHistory" WHERE "MigrationId" = ANY ($1)""",
            connection
        )
        {
            CommandTimeout = 0,
        }; // another process's migration may lock the table
        count.Parameters.AddWithValue(Ids);
        return (long)(await count.ExecuteScalarAsync(cancellationToken))! == Ids.Length
            && await EngineSchema.IsCurrentAsync(connection, cancellationToken)
            && !await KnowsOtherServersAsync(connection, cancellationToken);
    }

    /// <summary>Indexes answer this.</summary>
    private static async Task<bool> KnowsOtherServersAsync(NpgsqlConnection connection, CancellationToken cancellationToken)
    {
        await using var any = new NpgsqlCommand(
            $"SELECT {string.Join(" OR ", OfOtherServers.Select(ids => $"EXISTS (SELECT FROM {ids.Table} WHERE {ids.Condition})"))}",
            connection
        );
        return (bool)(await any.ExecuteScalarAsync(cancellationToken))!;
    }
}
