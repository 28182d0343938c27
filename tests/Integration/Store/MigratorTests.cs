using Microsoft.EntityFrameworkCore;
using Npgsql;
using Temper.Store;

namespace Temper.Integration.Store;

public class MigratorTests
{
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
    public async Task Migrations_ComparedWithTheModel_LackNothing()
    {
        await using var database = await TestDatabase.CreateAsync();
        await using var db = new TemperDb(new DbContextOptionsBuilder<TemperDb>().UseNpgsql(database.DataSource).Options);

        Assert.False(db.Database.HasPendingModelChanges());
        Assert.Empty(await db.Database.GetPendingMigrationsAsync());
    }
}
