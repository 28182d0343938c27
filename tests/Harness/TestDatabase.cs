using Npgsql;
using Temper.Store;

namespace Temper.Harness;

/// <summary>A database for one test on the private PostgreSQL that ./test starts. It is dropped at the end.</summary>
public sealed class TestDatabase : IAsyncDisposable
{
    private static readonly Lazy<Task<string>> Template = new(CreateTemplateAsync);

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
        new(await CreateNamedAsync($"TEMPLATE {await Template.Value}{(tablespace is null ? "" : $" TABLESPACE {tablespace}")}"));

    /// <summary>Creates a database without any table.</summary>
    public static async Task<TestDatabase> CreateEmptyAsync() => new(await CreateNamedAsync(""));

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

    public async ValueTask DisposeAsync()
    {
        var name = new NpgsqlConnectionStringBuilder(ConnectionString).Database!;
        await DataSource.DisposeAsync();
        await OnServerAsync($"DROP DATABASE {name} WITH (FORCE)");
    }

    private static async Task<string> CreateTemplateAsync()
    {
        var name = await CreateNamedAsync("");
        await using var database = NpgsqlDataSource.Create(ServerWith(name) + ";Pooling=false");
        await Migrator.MigrateAsync(database, CancellationToken.None);
        AppDomain.CurrentDomain.ProcessExit += (_, _) => OnServerAsync($"DROP DATABASE IF EXISTS {name} WITH (FORCE)").Wait();
        return name;
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

    private static string ServerWith(string database) =>
        new NpgsqlConnectionStringBuilder(
            Environment.GetEnvironmentVariable("TEMPER_TEST_DATABASE")
                ?? throw new InvalidOperationException("Run ./test: it starts the database and sets TEMPER_TEST_DATABASE.")
        )
        {
            Database = database,
            // Many small pools share one server.
            MaxPoolSize = 10,
        }.ToString();
}
