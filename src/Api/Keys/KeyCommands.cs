using System.Globalization;
using System.Transactions;
using Npgsql;
using Temper.Api.Http;
using Temper.Store;
using Temper.Store.Audit;
using Temper.Store.Keys;
using Temper.Store.Rows;

namespace Temper.Api.Keys;

/// <summary>
/// `Temper.Api keys create|list|revoke`: manages keys in the database without a running API, as for the first key. A change and its row
/// of the audit are one transaction. Errors go to standard error.
/// </summary>
internal static class KeyCommands
{
    private const string Usage = """
        Temper.Api keys create --name NAME --tenant TENANT --scopes SCOPE,… [--expires 90d]   makes a key and prints it
        Temper.Api keys list                                                                  lists the keys
        Temper.Api keys revoke ID                                                             revokes a key
        Scopes are read, submit, operate and admin. The database is that of ConnectionStrings__Temper.
        """;

    private const string Actor = "command line";

    private const int Done = 0,
        Refused = 1,
        WrongUsage = 2;

    private static readonly string[] Options = ["--name", "--tenant", "--scopes", "--expires"];

    /// <param name="args">What follows `keys`.</param>
    /// <returns>The exit code: 0 done, 1 refused, 2 wrong usage.</returns>
    public static async Task<int> RunAsync(string[] args, string connectionString)
    {
        // The statements of a transaction share a pooled connection.
        var shared = new NpgsqlConnectionStringBuilder(connectionString) { Pooling = true, Enlist = true };
        await using var database = Database.Open(shared.ToString());
        var store = new KeyStore(database, database);
        try
        {
            return args switch
            {
                ["create", .. var rest] => await CreateAsync(rest),
                ["list"] => await ListAsync(),
                ["revoke", var text] when Guid.TryParse(text, out var id) => await RevokeAsync(id),
                _ => Wrong(Usage),
            };
        }
        catch (Exception e)
            when (e is NpgsqlException or InvalidOperationException or TransactionException or NewerBuildException
                || Outage.Behind(e) is not null
            )
        {
            return Fail(Refused, $"The database refuses or does not answer: {e.Message}");
        }

        async Task<int> CreateAsync(string[] given)
        {
            var values = new Dictionary<string, string>();
            if (given.Length % 2 != 0 || given.Chunk(2).Any(pair => !Options.Contains(pair[0]) || !values.TryAdd(pair[0], pair[1])))
                return Wrong(Usage);
            var errors = new SpecErrors();
            var spec = new KeySpec
            {
                Name = values.GetValueOrDefault("--name", ""),
                Tenant = values.GetValueOrDefault("--tenant", ""),
                Scopes = ScopesIn(values.GetValueOrDefault("--scopes", ""), errors),
                Expires = values.GetValueOrDefault("--expires"),
            };
            KeySpecReader.Check(spec, errors);
            if (errors.Any)
                return Wrong(string.Join('\n', errors.ByField().Select(error => $"--{error.Key} {error.Value[0]}")));
            await Migrator.MigrateAsync(database, CancellationToken.None);
            var made = await AuditedAsync(
                () => store.CreateAsync(spec, Actor),
                key => Entry(key.Row, "createKey", StatusCodes.Status201Created)
            );
            if (made is null)
                return Fail(Refused, $"Tenant {spec.Tenant} has a key {spec.Name} that is not revoked.");
            Console.WriteLine(made.Text);
            Console.Error.WriteLine($"Key {made.Row.Id}. It is not stored and is not shown again.");
            return Done;
        }

        async Task<int> ListAsync()
        {
            await Migrator.MigrateAsync(database, CancellationToken.None);
            foreach (var key in await store.ListAsync())
                Console.WriteLine(
                    string.Join(
                        '\t',
                        key.Id,
                        key.Prefix,
                        key.Tenant,
                        key.Name,
                        string.Join(',', key.Scopes),
                        key.RevokedAt is { } revoked ? $"revoked {Time(revoked)}"
                            : key.ExpiresAt is { } end ? $"until {Time(end)}"
                            : "does not expire"
                    )
                );
            return Done;
        }

        async Task<int> RevokeAsync(Guid id)
        {
            await Migrator.MigrateAsync(database, CancellationToken.None);
            var key = await AuditedAsync(() => store.RevokeAsync(id), row => Entry(row, "revokeKey", StatusCodes.Status200OK));
            if (key is null)
                return Fail(Refused, $"There is no key {id}.");
            Console.WriteLine($"Key {key.Name} of tenant {key.Tenant} is revoked.");
            return Done;
        }

        async Task<T?> AuditedAsync<T>(Func<Task<T?>> change, Func<T, AuditEntry> entry)
            where T : class
        {
            using var transaction = new TransactionScope( // both statements join it
                TransactionScopeOption.Required,
                new TransactionOptions { IsolationLevel = IsolationLevel.ReadCommitted },
                TransactionScopeAsyncFlowOption.Enabled
            );
            var changed = await change();
            if (changed is not null && (await new AuditStore(database).WriteAsync([entry(changed)])).Values.FirstOrDefault() is { } reason)
                throw new InvalidOperationException(reason.Message, reason);
            transaction.Complete();
            return changed;
        }
    }

    private static AuditEntry Entry(KeyRow key, string action, int status) =>
        new(key.Tenant, Actor, null, action, key.Id.ToString(), status, Environment.MachineName, null);

    private static List<Scope> ScopesIn(string text, SpecErrors errors)
    {
        var words = text.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);
        foreach (var word in words)
            if (Scopes.All.All(scope => scope.Word() != word))
                errors.Add("scopes", $"must be {KeySpecReader.Allowed("scopes")}; got {word}");
        return [.. Scopes.All.Where(scope => words.Contains(scope.Word()))];
    }

    private static string Time(DateTimeOffset time) => time.ToString("yyyy-MM-dd HH:mm'Z'", CultureInfo.InvariantCulture);

    private static int Wrong(string message) => Fail(WrongUsage, message);

    private static int Fail(int code, string message)
    {
        Console.Error.WriteLine(message);
        return code;
    }
}
