using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Migrations;
using Npgsql;
using Temper.Store;

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
                + $"WHERE \"MigrationId\" <> '{Newer}'"
        );
        await Migrator.MigrateAsync(database.DataSource, default); // this build has what replaces it

        await database.ExecuteAsync($"INSERT INTO required_migrations VALUES ('{Newer}')");

        var refused = await Assert.ThrowsAsync<NewerBuildException>(() => Migrator.MigrateAsync(database.DataSource, default));
        Assert.Contains($"needs a newer build of Temper", refused.Message);
        Assert.Contains(Newer, refused.Message);
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
    public async Task Migrations_ComparedWithTheModel_LackNothing()
    {
        await using var database = await TestDatabase.CreateAsync();
        await using var db = new TemperDb(new DbContextOptionsBuilder<TemperDb>().UseNpgsql(database.DataSource).Options);

        Assert.False(db.Database.HasPendingModelChanges());
        Assert.Empty(await db.Database.GetPendingMigrationsAsync());
    }
}
