using Npgsql;
using Temper.Store;

namespace Temper.Api.Verbs;

/// <summary>
/// `Temper.Api migrate [--grant ROLE]`: brings the database to this build's schema as the role of the connection string, and makes
/// the rights of ROLE those of the API and the workers. It waits while the database is unreachable, or a table is locked for long.
/// </summary>
internal static class MigrateVerb
{
    /// <returns>The exit code: 0 when it is done, 1 when the database refused, 2 for wrong arguments.</returns>
    public static async Task<int> RunAsync(string[] arguments, string connectionString)
    {
        if (arguments is not ([] or ["--grant", _]))
        {
            await Console.Error.WriteLineAsync("Usage: Temper.Api migrate [--grant ROLE]");
            return 2;
        }
        try
        {
            await using var database = Database.Open(connectionString);
            await WhenUpAsync(() => Migrator.MigrateAsync(database, CancellationToken.None));
            Console.WriteLine("The database has the schema of this build.");
            if (arguments is [_, var role])
            {
                await WhenUpAsync(() => ServiceRole.GrantAsync(database, role, CancellationToken.None));
                Console.WriteLine($"The role {role} has the rights of the API and the workers.");
            }
            return 0;
        }
        catch (Exception e) when (e is NpgsqlException or InvalidOperationException or NewerBuildException)
        {
            await Console.Error.WriteLineAsync($"Not migrated: {e.GetBaseException().Message}");
            return 1;
        }
    }

    /// <summary>Says each reason to wait once.</summary>
    private static Task WhenUpAsync(Func<Task> work)
    {
        string? said = null;
        return Migrator.WhenUpAsync(
            work,
            reason =>
            {
                if (reason != said)
                    Console.Error.WriteLine($"Waiting for the database: {reason}");
                said = reason;
            },
            CancellationToken.None
        );
    }
}
