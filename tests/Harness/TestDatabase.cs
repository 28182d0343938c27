using System.Collections.Concurrent;
using Npgsql;
using Temper.Store;
using Temper.Store.Keys;

namespace Temper.Harness;

/// <summary>A database for one test on the private PostgreSQL that ./test starts. It is dropped at the end.</summary>
public sealed class TestDatabase : IAsyncDisposable
{
    private static readonly Lazy<Task<Schema>> Template = new(CreateTemplateAsync);
    private static readonly ConcurrentBag<TestDatabase> Free = [];

    /// <summary>A hash of relations, columns, indexes, constraints, triggers and functions.</summary>
    private const string HashSchema = """
        WITH own AS (
            SELECT pg_class.*, pg_class.oid::regclass::text AS name FROM pg_class
            WHERE relnamespace NOT IN (SELECT oid FROM pg_namespace WHERE nspname IN ('pg_catalog', 'information_schema', 'pg_toast'))
        )
        SELECT md5(string_agg(definition, ';' ORDER BY definition)) FROM (
            SELECT (name, relkind, relpersistence, reloptions)::text FROM own
            UNION ALL
            SELECT (name, attnum, attname, atttypid, atttypmod, attnotnull, pg_get_expr(adbin, adrelid))::text
            FROM own JOIN pg_attribute ON attrelid = own.oid LEFT JOIN pg_attrdef ON (adrelid, adnum) = (attrelid, attnum)
            WHERE attnum > 0
            UNION ALL
            SELECT pg_get_indexdef(indexrelid) FROM own JOIN pg_index ON indrelid = own.oid
            UNION ALL
            SELECT (name, conname, pg_get_constraintdef(pg_constraint.oid))::text FROM own JOIN pg_constraint ON conrelid = own.oid
            UNION ALL
            SELECT (name, tgenabled, pg_get_triggerdef(pg_trigger.oid))::text FROM own JOIN pg_trigger ON tgrelid = own.oid
            UNION ALL
            SELECT pg_get_functiondef(oid) FROM pg_proc WHERE pronamespace = 'public'::regnamespace AND prokind <> 'a'
        ) definitions (definition)
        """;

    private TestDatabase(string name)
    {
        ConnectionString = ServerWith(name);
        DataSource = NpgsqlDataSource.Create(ConnectionString);
    }

    public string ConnectionString { get; }

    public NpgsqlDataSource DataSource { get; }

    /// <summary>Creates a database with the current schema, copied from a migrated template.</summary>
    /// <param name="tablespace">The tablespace of its tables; the server's default when null.</param>
    public static async Task<TestDatabase> CreateAsync(string? tablespace = null) =>
        new(await CreateNamedAsync($"TEMPLATE {(await Template.Value).Name}{(tablespace is null ? "" : $" TABLESPACE {tablespace}")}"));

    /// <returns>A database with the current schema and empty tables, which an earlier test may have given back.</returns>
    public static async Task<TestDatabase> TakeAsync() => Free.TryTake(out var free) ? free : await CreateAsync();

    /// <summary>Keeps it for the next test, unless this one changed the schema: then it drops it.</summary>
    public async Task GiveBackAsync()
    {
        if (await EmptyAsync())
            Free.Add(this);
        else
            await DisposeAsync();
    }

    /// <summary>Deletes all rows and lets the sequences of Temper's tables begin anew.</summary>
    /// <returns>False if the schema is another than that of the template.</returns>
    public async Task<bool> EmptyAsync()
    {
        await ExecuteAsync(
            """
            DO $$ BEGIN
                SET LOCAL session_replication_role = replica; -- no triggers, foreign keys included
                EXECUTE (
                    SELECT string_agg(format('DELETE FROM %I.%I', schemaname, tablename), ';') FROM pg_tables
                    WHERE schemaname IN ('public', 'hangfire') AND tablename NOT IN ('__EFMigrationsHistory', 'schema')
                );
                PERFORM setval(format('%I.%I', schemaname, sequencename)::regclass, start_value, false) FROM pg_sequences
                WHERE schemaname = 'public';
            END $$
            """
        );
        return await ScalarAsync<string>(HashSchema) == (await Template.Value).Hash;
    }

    /// <summary>Creates a database without any table.</summary>
    public static async Task<TestDatabase> CreateEmptyAsync() => new(await CreateNamedAsync(""));

    /// <summary>Makes a key, after which an API on this database needs one.</summary>
    /// <param name="scopes">`admin` when there are none.</param>
    /// <returns>The key.</returns>
    public async Task<string> MakeKeyAsync(string name = "test", string tenant = "default", params Scope[] scopes)
    {
        var spec = new KeySpec
        {
            Name = name,
            Tenant = tenant,
            Scopes = scopes.Length > 0 ? scopes : [Scope.Admin],
        };
        return (await new KeyStore(DataSource, DataSource).CreateAsync(spec, "tests"))!.Text;
    }

    public async Task<T> ScalarAsync<T>(string sql)
    {
        await using var command = DataSource.CreateCommand(sql);
        return (T)(await command.ExecuteScalarAsync())!;
    }

    public async Task<int> ExecuteAsync(string sql)
    {
        await using var command = DataSource.CreateCommand(sql);
        return await command.ExecuteNonQueryAsync();
    }

    /// <returns>Rows of a table that PostgreSQL reads for some work: through indexes, and in scans of the whole table.</returns>
    /// <param name="before">Prepares the database, through the same pool of one connection.</param>
    public async Task<long> RowsReadAsync(string table, Func<NpgsqlDataSource, Task> before, Func<NpgsqlDataSource, Task> work)
    {
        await using var one = NpgsqlDataSource.Create($"{ConnectionString};Maximum Pool Size=1");
        await before(one);
        // A session reports what it has read up to a minute later, or when it ends.
        DataSource.Clear();
        await Eventually.TrueAsync(async () =>
        {
            await using var others = one.CreateCommand(
                "SELECT count(*) FROM pg_stat_activity "
                    + "WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()"
            );
            return (long)(await others.ExecuteScalarAsync())! == 0;
        });
        var already = await CountAsync();
        await work(one);
        return await CountAsync() - already;

        async Task<long> CountAsync()
        {
            await using (var flush = one.CreateCommand("SELECT pg_stat_force_next_flush()"))
                await flush.ExecuteNonQueryAsync();
            return await ScalarAsync<long>(
                $"SELECT seq_tup_read + coalesce(idx_tup_fetch, 0) FROM pg_stat_user_tables WHERE relname = '{table}'"
            );
        }
    }

    public async ValueTask DisposeAsync()
    {
        var name = new NpgsqlConnectionStringBuilder(ConnectionString).Database!;
        await DataSource.DisposeAsync();
        await OnServerAsync($"DROP DATABASE {name} WITH (FORCE)");
    }

    private static async Task<Schema> CreateTemplateAsync()
    {
        var name = await CreateNamedAsync("");
        await using var database = NpgsqlDataSource.Create(ServerWith(name) + ";Pooling=false");
        await Migrator.MigrateAsync(database, CancellationToken.None);
        AppDomain.CurrentDomain.ProcessExit += (_, _) =>
        {
            foreach (var free in Free)
                free.DisposeAsync().AsTask().Wait();
            OnServerAsync($"DROP DATABASE IF EXISTS {name} WITH (FORCE)").Wait();
        };
        await using var hash = database.CreateCommand(HashSchema);
        return new(name, (string)(await hash.ExecuteScalarAsync())!);
    }

    private static async Task<string> CreateNamedAsync(string options)
    {
        var name = $"test_{Guid.NewGuid():N}";
        await OnServerAsync($"CREATE DATABASE {name} {options}");
        return name;
    }

    internal static async Task OnServerAsync(string sql)
    {
        await using var server = NpgsqlDataSource.Create(ServerWith("postgres") + ";Pooling=false");
        await using var command = server.CreateCommand(sql);
        await command.ExecuteNonQueryAsync();
    }

    internal static string ServerWith(string database) =>
        new NpgsqlConnectionStringBuilder(
            Environment.GetEnvironmentVariable("TEMPER_TEST_DATABASE")
                ?? throw new InvalidOperationException("Run ./test: it starts the database and sets TEMPER_TEST_DATABASE.")
        )
        {
            Database = database,
            // Many small pools share one server.
            MaxPoolSize = 10,
        }.ToString();

    /// <param name="Hash">See <see cref="HashSchema"/>.</param>
    private sealed record Schema(string Name, string Hash);
}
