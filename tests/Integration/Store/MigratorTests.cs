using System.Text.RegularExpressions;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Migrations;
using Npgsql;
using Temper.Domain.Datasets;
using Temper.Domain.Jobs;
using Temper.Domain.Smoothing;
using Temper.Domain.Studies;
using Temper.Store;
using Temper.Store.Datasets;
using Temper.Store.Queue;
using Temper.Store.Studies;
using Temper.Store.Tenants;

namespace Temper.Integration.Store;

public class MigratorTests
{
    private const string Newer = "29990101000000_Newer";

    private const string OneMore =
        $"INSERT INTO \"__EFMigrationsHistory\" (\"MigrationId\", \"ProductVersion\") VALUES ('{Newer}', '99.0.0')";

    [Fact]
    public async Task MigrateAsync_EightAtOnceOnAnEmptyDatabase_AllSucceed()
    {
        for (var round = 0; round < 3; round++)
        {
            await using var database = await TestDatabase.CreateEmptyAsync();

            await Task.WhenAll(
                Enumerable
                    .Range(0, 8)
                    .Select(async _ =>
                    {
                        await using var starter = NpgsqlDataSource.Create(database.ConnectionString);
                        await Migrator.MigrateAsync(starter, CancellationToken.None);
                    })
            );

            await using var db = new TemperDb(new DbContextOptionsBuilder<TemperDb>().UseNpgsql(database.DataSource).Options);
            Assert.Equal(db.Database.GetMigrations(), await db.Database.GetAppliedMigrationsAsync());
            Assert.Equal(0, await database.ScalarAsync<long>("SELECT count(*) FROM jobs"));
        }
    }

    [Fact]
    public async Task MigrateAsync_TheSchemaOfANewerBuildThatOnlyAdded_LeavesItAsItIs()
    {
        await using var database = await TestDatabase.CreateAsync();
        await database.ExecuteAsync(OneMore);

        await Migrator.MigrateAsync(database.DataSource, default);
        await database.ExecuteAsync("DROP SCHEMA hangfire CASCADE"); // a build whose Hangfire is missing has something to apply
        await Migrator.MigrateAsync(database.DataSource, default);

        Assert.Equal(1, await database.ScalarAsync<long>($"SELECT count(*) FROM hangfire.schema"));
        Assert.Equal(
            1,
            await database.ScalarAsync<long>($"SELECT count(*) FROM \"__EFMigrationsHistory\" WHERE \"MigrationId\" = '{Newer}'")
        );
    }

    [Fact]
    public async Task MigrateAsync_TheSchemaOfANewerBuildThatRemovedSomething_IsRefused()
    {
        await using var database = await TestDatabase.CreateAsync();
        await database.ExecuteAsync(
            $"{OneMore}; INSERT INTO required_migrations SELECT max(\"MigrationId\") FROM \"__EFMigrationsHistory\" "
                + $"WHERE \"MigrationId\" <> '{Newer}' ON CONFLICT DO NOTHING"
        );
        await Migrator.MigrateAsync(database.DataSource, default); // this build has what replaces it

        await database.ExecuteAsync($"INSERT INTO required_migrations VALUES ('{Newer}')");

        var refused = await Assert.ThrowsAsync<NewerBuildException>(() => Migrator.MigrateAsync(database.DataSource, default));
        Assert.Contains($"needs a newer build of Temper", refused.Message);
        Assert.Contains(Newer, refused.Message);
        foreach (var verb in new string[][] { ["migrate"], ["keys", "list"] })
        {
            var ended = await ApiProcess.RunVerbAsync(database.ConnectionString, verb);
            Assert.Equal(1, ended.ExitCode);
            Assert.Contains(refused.Message, ended.Errors);
        }
    }

    [Fact]
    public async Task MigrateAsync_TheSchemaOfABranchThatLacksOurs_IsRefused()
    {
        await using var database = await TestDatabase.CreateAsync();
        await database.ExecuteAsync(
            $"UPDATE \"__EFMigrationsHistory\" SET \"MigrationId\" = '{Newer}' WHERE \"MigrationId\" LIKE '%EventOrder'"
        );

        var refused = await Assert.ThrowsAsync<NewerBuildException>(() => Migrator.MigrateAsync(database.DataSource, default));
        Assert.Contains("schema of another build", refused.Message);
    }

    [Fact]
    public async Task Migrate_WhileATransactionUsesTheTable_LetsOthersPassAndTriesAgainUntilItSucceeds()
    {
        await using var database = await TestDatabase.CreateAsync();
        await using (var db = new TemperDb(new DbContextOptionsBuilder<TemperDb>().UseNpgsql(database.DataSource).Options))
            await db.GetService<IMigrator>().MigrateAsync("DatasetSequence"); // the schema before that with the revisions
        Task<CommandResult> migration;
        await using (var dump = await database.DataSource.OpenConnectionAsync())
        await using (await dump.BeginTransactionAsync())
        {
            await new NpgsqlCommand("SELECT count(*) FROM jobs", dump).ExecuteScalarAsync();

            migration = ApiProcess.RunVerbAsync(database.ConnectionString, "migrate");
            var waits = new HashSet<string>();
            await Eventually.TrueAsync(async () =>
            {
                waits.Add(
                    await database.ScalarAsync<string>(
                        "SELECT coalesce(max(virtualtransaction), '') FROM pg_locks WHERE NOT granted AND relation = 'jobs'::regclass"
                    )
                );
                return waits.Except([""]).Count() > 1;
            });
            Assert.Equal(0, await database.ScalarAsync<long>("SELECT count(*) FROM jobs"));
        }

        var migrated = await migration;
        Assert.Equal(0, migrated.ExitCode);
        Assert.Contains($"Waiting for the database: {PostgresErrorCodes.LockNotAvailable}", migrated.Errors);
        Assert.Equal(0, await database.ScalarAsync<long>("SELECT count(spec_revision) FROM jobs"));
    }

    [Fact]
    public async Task Migrations_DownAndUpWithRows_ChangeNeitherRowsNorSchema()
    {
        await using var database = await TestDatabase.CreateAsync();
        // A migration down and up forgets a later revision, which the next heartbeat tells again.
        var queue = new JobQueue(database.DataSource) { KnownRevision = 1 };
        var worker = WorkerIdentity.Create("cpu", 1);
        await queue.HeartbeatAsync(worker, [], null, default);
        await using var db = new TemperDb(new DbContextOptionsBuilder<TemperDb>().UseNpgsql(database.DataSource).Options);
        var job = new JobSpec
        {
            Dataset = "digits",
            Epsilon = 0,
            Epochs = 2,
        };
        await JobQueue.SubmitOnceAsync(db, TenantStore.Default, job, "key", default);
        var contents = new DatasetContents(database.DataSource);
        var content = await contents.BeginAsync(default);
        await contents.AddAsync(content, 0, new byte[8], default);
        var of = new DatasetContent("aa", 2, 1, 4, 4, 4, 0, 1);
        await new UploadedDatasets(database.DataSource).AddAsync(
            new(TenantStore.Default, "set", content, 8, of, new([new("0", 2, 0, 1)], null), [1], [2]),
            default
        );
        var study = new StudySpec
        {
            Job = job with { Dataset = "set@1", Data = of },
            Epsilons = [0],
            Smoothing = [SmoothingConvention.Uniform],
            LearningRates = [0.001],
            LabelNoise = [0],
            Models = [ModelName.Cnn],
            Seeds = [0, 1],
        };
        await new StudyQueue(database.DataSource).SubmitAsync(TenantStore.Default, study, "key", default);
        Assert.NotNull(await queue.ClaimAsync(worker.Id, false, default));
        var (rows, schema) = (await RowsAsync(), await SchemaAsync(database));
        var required = "SELECT string_agg(migration_id, ',') FROM required_migrations";
        Assert.EndsWith("_KeysAndTenants", await database.ScalarAsync<string>(required));

        await db.GetService<IMigrator>().MigrateAsync("DatasetSequence");
        await Migrator.MigrateAsync(database.DataSource, default);
        Assert.Equal(rows, await RowsAsync());
        Assert.Equal(schema, await SchemaAsync(database));
        Assert.EndsWith("_KeysAndTenants", await database.ScalarAsync<string>(required));
        Assert.NotNull(await queue.ClaimAsync(worker.Id, false, default));

        Task<string> RowsAsync() =>
            database.ScalarAsync<string>(
                $"""
                SELECT string_agg(rows, '|') FROM (
                    {string.Join(
                        " UNION ALL ",
                        new[] { "jobs", "studies", "arms", "dataset_names", "datasets", "dataset_chunks", "workers" }.Select(table =>
                            $"SELECT string_agg(to_jsonb({table})::text, ',' ORDER BY to_jsonb({table})::text) FROM {table}"
                        )
                    )}
                ) tables (rows)
                """
            );
    }

    /// <summary>As docs/operations.md says for many jobs. One whose building was interrupted is invalid, and is built again.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Migration_OfIndexesThatWereBuiltBefore_KeepsTheValidOnes(bool interrupted)
    {
        await using var database = await TestDatabase.CreateAsync();
        var schema = await SchemaAsync(database);
        await using (var db = new TemperDb(new DbContextOptionsBuilder<TemperDb>().UseNpgsql(database.DataSource).Options))
            await db.GetService<IMigrator>().MigrateAsync("UploadQuota");
        var document = await File.ReadAllTextAsync(Path.Combine(TemperProcess.Repository, "docs", "operations.md"));
        foreach (Match statement in Regex.Matches(document, "CREATE INDEX CONCURRENTLY [^;]*"))
            await database.ExecuteAsync(statement.Value);
        if (interrupted)
            await database.ExecuteAsync("UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'ix_jobs_queue_any'::regclass");
        var before = await IndexesAsync();

        await Migrator.MigrateAsync(database.DataSource, default);

        var after = await IndexesAsync();
        Assert.Equal(4, before.Length);
        Assert.Equal(interrupted ? 3 : 4, before.Intersect(after).Count());
        Assert.All(after, index => Assert.EndsWith(" true", index));
        Assert.Equal(schema, await SchemaAsync(database));

        Task<string[]> IndexesAsync() =>
            database.ScalarAsync<string[]>(
                """
                SELECT array_agg(concat_ws(' ', indexrelid, indisvalid::text)) FROM pg_index
                WHERE indexrelid::regclass::text IN ('ix_models_logits', 'ix_models_weights', 'ix_jobs_queue_any', 'ix_jobs_study_open')
                """
            );
    }

    [Fact]
    public async Task Migrations_ComparedWithTheModel_LackNothing()
    {
        await using var database = await TestDatabase.CreateAsync();
        await using var db = new TemperDb(new DbContextOptionsBuilder<TemperDb>().UseNpgsql(database.DataSource).Options);

        Assert.False(db.Database.HasPendingModelChanges());
        Assert.Empty(await db.Database.GetPendingMigrationsAsync());
    }

    private static Task<string> SchemaAsync(TestDatabase database) =>
        database.ScalarAsync<string>(
            """
            SELECT string_agg(line, E'\n' ORDER BY line) FROM (
                SELECT concat_ws(' ', table_name, column_name, data_type, column_default, is_nullable)
                FROM information_schema.columns WHERE table_schema = 'public'
                UNION ALL SELECT indexdef FROM pg_indexes WHERE schemaname = 'public'
                UNION ALL SELECT concat_ws(' ', conrelid::regclass, conname, pg_get_constraintdef(oid)) FROM pg_constraint
                WHERE connamespace = 'public'::regnamespace
                UNION ALL SELECT pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal
                UNION ALL SELECT pg_get_functiondef(oid) FROM pg_proc WHERE pronamespace = 'public'::regnamespace AND prokind <> 'a'
            ) lines (line)
            """
        );
}
