using Npgsql;

namespace Temper.Harness;

/// <summary>
/// An empty database that belongs to a role of its own, and a second role with a password file: the two roles of an installation.
/// </summary>
public sealed class OwnedDatabase : IAsyncDisposable
{
    /// <summary>What separates or quotes parts in connection strings, in password files and in SQL.</summary>
    private const string Password = """p;a's"s =w\o:r%d {ü}""";

    private readonly string suffix = Guid.NewGuid().ToString("N");
    private readonly string folder = Directory.CreateTempSubdirectory("temper-passwords-").FullName;

    private OwnedDatabase() { }

    public string Owner => $"owner_{suffix}";

    public string Service => $"service_{suffix}";

    /// <summary>Connects as the owner, with the password in the string.</summary>
    public string OwnerString => new NpgsqlConnectionStringBuilder(Server) { Username = Owner, Password = Password }.ToString();

    /// <summary>Connects as the service, with the password in a file.</summary>
    public string ServiceString
    {
        get
        {
            var builder = new NpgsqlConnectionStringBuilder(Server) { Username = Service, Passfile = Path.Combine(folder, "pgpass") };
            builder.Remove("Password");
            return builder.ToString();
        }
    }

    private string Server => TestDatabase.ServerWith($"owned_{suffix}");

    public static async Task<OwnedDatabase> CreateAsync()
    {
        var made = new OwnedDatabase();
        var literal = Password.Replace("'", "''").Replace(@"\", @"\\");
        foreach (var role in new[] { made.Owner, made.Service })
            await TestDatabase.OnServerAsync($"CREATE ROLE {role} LOGIN PASSWORD E'{literal}'");
        await TestDatabase.OnServerAsync($"CREATE DATABASE owned_{made.suffix} OWNER {made.Owner}");
        var inFile = Password.Replace(@"\", @"\\").Replace(":", @"\:");
        await File.WriteAllTextAsync(Path.Combine(made.folder, "pgpass"), $"*:*:*:{made.Service}:{inFile}\n");
        return made;
    }

    public async ValueTask DisposeAsync()
    {
        NpgsqlConnection.ClearAllPools();
        await TestDatabase.OnServerAsync($"DROP DATABASE owned_{suffix} WITH (FORCE)");
        await TestDatabase.OnServerAsync($"DROP ROLE {Owner}, {Service}");
        Directory.Delete(folder, recursive: true);
    }
}
