using Temper.Api.Http;

namespace Temper.Unit.Api.Http;

public class SharedRoundsTests
{
    private readonly List<int[]> asked = [];
    private readonly SemaphoreSlim started = new(0),
        mayEnd = new(0);

    private SharedRounds<int, int> Rounds(bool fails = false) =>
        new(async items =>
        {
            lock (asked)
                asked.Add([.. items]);
            started.Release();
            await mayEnd.WaitAsync();
            return fails ? throw new InvalidOperationException("It failed.") : items.Sum();
        });

    [Fact]
    public async Task Ask_WhileAStatementRuns_SharesTheNextOne()
    {
        var rounds = Rounds();
        var first = rounds.AskAsync(1);
        await started.WaitAsync();

        var others = Enumerable.Range(2, 3).Select(item => rounds.AskAsync(item)).Append(rounds.AskAsync()).ToList();
        mayEnd.Release(2);

        Assert.Equal(1, await first);
        Assert.All(await Task.WhenAll(others), sum => Assert.Equal(2 + 3 + 4, sum));
        Assert.Equal(
            [
                [1],
                [2, 3, 4],
            ],
            asked
        );
    }

    [Fact]
    public async Task Ask_AfterAllAreAnswered_RunsAStatementOfItsOwn()
    {
        var rounds = Rounds();
        mayEnd.Release(2);

        Assert.Equal(1, await rounds.AskAsync(1));
        Assert.Equal(2, await rounds.AskAsync(2));
    }

    /// <summary>A request that comes after the failure asks anew.</summary>
    [Fact]
    public async Task Ask_WhileAStatementFails_FailsToo()
    {
        var rounds = Rounds(fails: true);
        var first = rounds.AskAsync(1);
        await started.WaitAsync();
        var waiting = rounds.AskAsync(2);
        mayEnd.Release();

        await Assert.ThrowsAsync<InvalidOperationException>(() => first);
        await Assert.ThrowsAsync<InvalidOperationException>(() => waiting);
        Assert.Single(asked);
        var later = rounds.AskAsync(3);
        mayEnd.Release();
        await Assert.ThrowsAsync<InvalidOperationException>(() => later);
        Assert.Equal(2, asked.Count);
    }
}
