using Hangfire.PostgreSql;
using Hangfire.PostgreSql.Factories;

namespace Temper.Store.Engine;

/// <summary>Opens Hangfire's storage, the schema `hangfire` in the database of the jobs.</summary>
public static class EngineStorage
{
    /// <summary>The queue of attempts, which the jobs table holds (<see cref="AttemptQueue"/>).</summary>
    public const string Trainings = "trainings";

    /// <summary>The queue of ordinary jobs, which Hangfire's own tables hold.</summary>
    public const string Ordinary = "default";

    /// <summary>The queue of notifications, apart from the ordinary jobs, because a receiver may be slow.</summary>
    public const string Notifications = "notifications";

    /// <param name="connectionString">The service's connection string.</param>
    /// <param name="trainings">The queue of attempts, which every process needs. Without it, Hangfire would put attempts into a
    /// table that nobody reads.</param>
    /// <param name="connections">The most connections of the storage's own pool.</param>
    /// <param name="commandSeconds">Timeout of a statement, in seconds.</param>
    public static PostgreSqlStorage Open(string connectionString, AttemptQueue trainings, int connections, int commandSeconds)
    {
        var options = new PostgreSqlStorageOptions
        {
            PrepareSchemaIfNecessary = false, // the Migrator creates the schema
            QueuePollInterval = TimeSpan.FromSeconds(1),
            UseSlidingInvisibilityTimeout = true,
            InvisibilityTimeout = TimeSpan.FromMinutes(1), // for ordinary jobs
            // A killed process leaves its locks behind, and others wait this long for them. The dashboard shows a lost attempt
            // within 15 s: the sweep's interval of 5 s plus this wait.
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
