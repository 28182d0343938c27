using Microsoft.Extensions.Logging.Abstractions;
using Npgsql;
using Temper.Worker.Slots;

namespace Temper.Unit.Worker.Slots;

public class DatabaseRetryTests
{
    private static readonly NpgsqlException Outage = new("no connection", new IOException("reset"));

    [Fact]
    public async Task Execute_DuringAnOutage_TriesUntilTheDatabaseAnswers()
    {
        var tries = 0;

        Assert.Equal("stored", await DatabaseRetry.Create(NullLogger.Instance).ExecuteAsync(async _ => await WriteAsync()));

        Assert.Equal(2, tries);
        Task<string> WriteAsync() => ++tries < 2 ? throw Outage : Task.FromResult("stored");
    }

    [Fact]
    public async Task Execute_AnotherError_IsThrownAtOnce()
    {
        var tries = 0;
        var refusal = new PostgresException("value out of range", "ERROR", "ERROR", "22003");

        await Assert.ThrowsAsync<PostgresException>(async () =>
            await DatabaseRetry.Create(NullLogger.Instance).ExecuteAsync(_ => ++tries > 0 ? throw refusal : ValueTask.CompletedTask)
        );

        Assert.Equal(1, tries);
    }

    [Fact]
    public async Task Execute_ThatIsCancelled_Ends()
    {
        using var stop = new CancellationTokenSource(TimeSpan.FromMilliseconds(200));

        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () =>
            await DatabaseRetry
                .Create(NullLogger.Instance)
                .ExecuteAsync(_ => stop.IsCancellationRequested ? ValueTask.CompletedTask : throw Outage, stop.Token)
        );
    }
}
