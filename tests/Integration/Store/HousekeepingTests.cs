using Microsoft.Extensions.Logging.Abstractions;
using Npgsql;
using Temper.Integration.Store.Queue;
using Temper.Store.Engine;

namespace Temper.Integration.Store;

public class HousekeepingTests : QueueTest
{
    /// <summary>Two workers run the hourly job at once, because the last run takes longer than an hour.</summary>
    [Fact]
    public async Task RemoveExpired_WhileAnotherProcessDoesIt_DoesNothing()
    {
        var housekeeping = new Housekeeping(Database.DataSource, new(), NullLogger.Instance);
        await using var blocker = await Database.DataSource.OpenConnectionAsync();
        await using var transaction = await blocker.BeginTransactionAsync();
        await using (var block = new NpgsqlCommand("LOCK TABLE checkpoints", blocker))
            await block.ExecuteNonQueryAsync();
        var first = housekeeping.RemoveExpiredAsync();
        await UntilOneWaitsAsync();

        await housekeeping.RemoveExpiredAsync(); // it would wait for the table too

        Assert.False(first.IsCompleted);
        await transaction.RollbackAsync();
        await first;
        Assert.Equal(
            0,
            await Database.ScalarAsync<long>(
                "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND classid = (8387230210553151492 >> 32)::int::oid "
                    + "AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
            )
        );
    }
}
