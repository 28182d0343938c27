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

    /// <summary>
    /// The migrations that a build must know to run on the database. A migration that only adds leaves it alone, so older builds go
    /// on. One that removes adds the id of the migration with what replaces it, so that only builds run that use the replacement.
    /// </summary>
    internal const string RequiredTable = "required_migrations";

    /// <summary>
    /// A change of a table waits for the transactions that use it, such as a dump's, and all later statements on that table wait
    /// behind it. After this time, within which no client gives up, it lets them pass and is tried again.
    /// </summary>
    private const string LimitWaits = "SET lock_timeout = '2s'";

    private static readonly TimeSpan WatchInterval = TimeSpan.FromSeconds(1);

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

    private static readonly TimeSpan RetryDelay = TimeSpan.FromSeconds(1),
        OwnerDelay = TimeSpan.FromSeconds(3);

    /// <summary>
    /// Migrates, and waits while the database is unreachable. A role that may not migrate waits until the owner has done it. It
    /// throws when the database refuses for another reason.
    /// </summary>
    public static async Task MigrateWhenUpAsync(NpgsqlDataSource database, ILogger log, CancellationToken cancellationToken)
    {
        while (true)
        {
            try
            {
                await WhenUpAsync(
                    () => MigrateAsync(database, cancellationToken),
                    reason => log.LogWarning("Waiting for the database: {Reason}", reason),
                    cancellationToken
                );
                return;
            }
            catch (Exception e)
                when (e.GetBaseException() is PostgresException { SqlState: PostgresErrorCodes.InsufficientPrivilege } refused)
            {
                log.LogWarning(
                    "The database lacks the schema of this build, and this role may not change it ({Reason}). Waiting until its owner "
                        + "migrates: Temper.Api migrate --grant ROLE",
                    refused.MessageText
                );
                await Task.Delay(OwnerDelay, cancellationToken);
            }
        }
    }

    /// <summary>Tries again, each time a second later, while what makes it fail passes by itself.</summary>
    /// <param name="waits">Is told the reason before each wait.</param>
    public static async Task WhenUpAsync(Func<Task> work, Action<string> waits, CancellationToken cancellationToken)
    {
        while (true)
        {
            try
            {
                await work();
                return;
            }
            catch (Exception e) when (Outage.Behind(e) is { } outage)
            {
                waits(outage.Message);
                await Task.Delay(RetryDelay, cancellationToken);
            }
        }
    }

    /// <exception cref="NewerBuildException">The schema of a newer or another build lacks what this one uses.</exception>
    public static async Task MigrateAsync(NpgsqlDataSource database, CancellationToken cancellationToken)
    {
        if (await IsCurrentAsync(database, cancellationToken))
            await CheckAsync(database, cancellationToken);
        else
            await ApplyAsync(database, cancellationToken);
        if (await KnowsOtherServersAsync(database, cancellationToken))
            await ForgetOtherServersAsync(database, cancellationToken);
    }

    /// <summary>Watches the schema of a migrated database until it is told to stop.</summary>
    /// <exception cref="NewerBuildException">A newer build has removed what this one uses.</exception>
    public static async Task WatchAsync(NpgsqlDataSource database, CancellationToken stopping)
    {
        while (true)
        {
            await Task.WhenAny(Task.Delay(WatchInterval, stopping));
            if (stopping.IsCancellationRequested)
                return;
            try
            {
                await CheckAsync(database, CancellationToken.None);
            }
            catch (Exception e) when (Outage.Behind(e) is not null) { }
        }
    }

    private static async Task CheckAsync(NpgsqlDataSource database, CancellationToken cancellationToken)
    {
        await using var command = database.CreateCommand(
            $"SELECT string_agg(migration_id, ', ') FROM {RequiredTable} WHERE migration_id <> ALL ($1)"
        );
        command.Parameters.AddWithValue(Ids);
        if (await command.ExecuteScalarAsync(cancellationToken) is string unknown)
            throw new NewerBuildException(
                $"The database needs a newer build of Temper: what this build uses was removed from its schema. It lacks {unknown}."
            );
    }

    /// <summary>Waits for the lock around a migration. The end of the transaction releases it, even after an error.</summary>
    internal static async Task TakeGateAsync(NpgsqlConnection gate, NpgsqlTransaction held, CancellationToken cancellationToken)
    {
        await using var take = new NpgsqlCommand("SELECT pg_advisory_xact_lock($1)", gate, held)
        {
            Parameters = { new() { Value = GateKey } },
            CommandTimeout = 0,
        };
        await take.ExecuteNonQueryAsync(cancellationToken);
    }

    private static async Task ApplyAsync(NpgsqlDataSource database, CancellationToken cancellationToken)
    {
        await using var gate = await database.OpenConnectionAsync(cancellationToken);
        await using var held = await gate.BeginTransactionAsync(cancellationToken);
        await TakeGateAsync(gate, held, cancellationToken);

        await using var connection = await database.OpenConnectionAsync(cancellationToken);
        await using var db = new TemperDb(new DbContextOptionsBuilder<TemperDb>().UseNpgsql(connection).Options);
        db.Database.SetCommandTimeout(0); // an index on a million rows takes long
        var applied = (await db.Database.GetAppliedMigrationsAsync(cancellationToken)).ToList();
        if (applied.Except(Ids).Any() && Ids.Except(applied).Any())
            throw new NewerBuildException(
                "The database has the schema of another build of Temper, which this one does not know. Use that build, or another database."
            );
        await db.Database.ExecuteSqlRawAsync(LimitWaits, cancellationToken);
        try
        {
            await db.Database.MigrateAsync(cancellationToken);
        }
        finally
        {
            await db.Database.ExecuteSqlRawAsync("RESET lock_timeout", CancellationToken.None); // the pool does not reset connections
        }
        await CheckAsync(database, cancellationToken);
        await EngineSchema.InstallAsync(database, cancellationToken);
    }

    /// <summary>
    /// A dump keeps the ids of transactions of the server that it comes from. Those that this server has not reached would be
    /// taken for transactions of its own once it reaches them.
    /// </summary>
    private static async Task ForgetOtherServersAsync(NpgsqlDataSource database, CancellationToken cancellationToken)
    {
        // The lock keeps a second process from clearing ids that are this server's own by the time it sees them.
        await using var connection = await database.OpenConnectionAsync(cancellationToken);
        await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
        await TakeGateAsync(connection, transaction, cancellationToken);
        foreach (var (table, column, condition) in OfOtherServers)
        {
            await using var forget = new NpgsqlCommand($"UPDATE {table} SET {column} = NULL WHERE {condition}", connection, transaction)
            {
                CommandTimeout = 0, // after a restore all rows may be such
            };
            await forget.ExecuteNonQueryAsync(cancellationToken);
        }
        await transaction.CommitAsync(cancellationToken);
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
            && await EngineSchema.IsCurrentAsync(connection, cancellationToken);
    }

    /// <summary>Indexes answer this.</summary>
    private static async Task<bool> KnowsOtherServersAsync(NpgsqlDataSource database, CancellationToken cancellationToken)
    {
        await using var any = database.CreateCommand(
            $"SELECT {string.Join(" OR ", OfOtherServers.Select(ids => $"EXISTS (SELECT FROM {ids.Table} WHERE {ids.Condition})"))}"
        );
        return (bool)(await any.ExecuteScalarAsync(cancellationToken))!;
    }
}
