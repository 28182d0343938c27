using Hangfire.PostgreSql;
using Hangfire.PostgreSql.Factories;

namespace Temper.Store.Engine;

/// <summary>Hangfire's storage: the schema `hangfire` in the database of the jobs.</summary>
public static class EngineStorage
{
    /// <summary>The queue of attempts. Behind it is the jobs table (<see cref="AttemptQueue"/>).</summary>
    public const string Trainings = "trainings";

    /// <summary>The queue of ordinary jobs, which Hangfire keeps in tables of its own.</summary>
    public const string Ordinary = "default";

    /// <param name="connectionString">The service's own.</param>
    /// <param name="trainings">Every process that opens the storage has one. Without it, Hangfire would put attempts into a table
    /// that nobody reads.</param>
    /// <param name="connections">At most, in a pool of its own.</param>
    /// <param name="commandSeconds">How long a statement may take before it counts as unanswered.</param>
    public static PostgreSqlStorage Open(string connectionString, AttemptQueue trainings, int connections, int commandSeconds)
    {
        var options = new PostgreSqlStorageOptions
        {
            PrepareSchemaIfNecessary = false, // the Migrator makes it
            QueuePollInterval = TimeSpan.FromSeconds(1),
            UseSlidingInvisibilityTimeout = true,
            InvisibilityTimeout = TimeSpan.FromMinutes(1), // of ordinary jobs
            // A killed process leaves its locks behind. The dashboard's 15 s allow for the sweep's interval of 5 s and for this.
            DistributedLockTimeout = TimeSpan.FromSeconds(8),
            JobExpirationCheckInterval = TimeSpan.FromMinutes(5),
        };
        var storage = new PostgreSqlStorage(
            new NpgsqlConnectionFactory(
                $"Command Timeout={commandSeconds};Maximum Pool Size={connections};No Reset On Close=true;"
                    + Database.WithTimeout(connectionString),
                options
            ),
            options
        );
        storage.QueueProviders.Add(trainings, [Trainings]);
        return storage;
    }
}
