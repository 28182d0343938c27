using Npgsql;
using Temper.Harness.Model;

namespace Temper.Integration.Model;

/// <summary>Tests that the twin and PostgreSQL agree: on every answer, and on every job after every operation.</summary>
public class TwinQueueTests
{
    private const string Jobs = "ABC";

    private readonly HashSet<string> met = [];

    public static TheoryData<string> Names => [.. Scenarios.All.Keys];

    [Theory]
    [MemberData(nameof(Names))]
    public Task Scenario_OnPostgresAndItsTwin_IsAnsweredAsItSays(string name) =>
        OnADatabaseAsync(async pair =>
        {
            var stages = pair();
            foreach (var (line, answer) in Scenarios.Lines(name))
                Assert.Equal($"{line} => {answer}", $"{line} => {await stages.PlayAsync(line)}");
        });

    [Fact]
    public async Task RandomScripts_Hundreds_MeetEveryOperationInEveryState()
    {
        // Three scripts run at a time, because they mostly wait for answers.
        await Task.WhenAll(
            Enumerable
                .Range(0, 3)
                .Select(lane =>
                    OnADatabaseAsync(async pair =>
                    {
                        for (var seed = 1 + lane; seed <= 300; seed += 3)
                            await PlayRandomScriptAsync(seed, pair());
                    })
                )
        );
        Assert.Empty(RandomScript.AllPairs.Except(met));
    }

    private async Task PlayRandomScriptAsync(int seed, SideBySide pair)
    {
        await pair.ClearAsync();
        foreach (var worker in "123")
            await pair.PlayAsync($"beat {worker}");
        var random = new RandomScript(seed, pair.Twin, pair.Script);
        for (var i = 0; i < 40; i++)
            await pair.PlayAsync(random.NextLine());
        lock (met)
            met.UnionWith(random.Met);
    }

    private static async Task OnADatabaseAsync(Func<Func<SideBySide>, Task> play)
    {
        await using var database = await TestDatabase.CreateAsync();
        // The data need not survive a crash of the server.
        await using var source = NpgsqlDataSource.Create($"{database.ConnectionString};Options=-c synchronous_commit=off");
        await using var presence = await source.OpenConnectionAsync();
        await play(() => new SideBySide(source, presence));
    }

    /// <summary>Plays each line on the twin and on PostgreSQL, and compares the answers and rows.</summary>
    private sealed class SideBySide
    {
        private readonly PostgresStage postgres;
        private readonly Script onPostgres;
        private readonly List<string> played = [];

        public SideBySide(NpgsqlDataSource database, NpgsqlConnection presence)
        {
            postgres = new(database, presence);
            var workers = Script.NewWorkers();
            (Script, onPostgres) = (new(Twin, workers), new(postgres, workers));
        }

        public TwinStage Twin { get; } = new();

        public Script Script { get; }

        public Task ClearAsync() => postgres.ClearAsync();

        public async Task<string> PlayAsync(string line)
        {
            var before = Jobs.Select(job => Twin.RunAt(Script.IdOf(job))).ToArray();
            var (expected, answer) = (await Script.PlayAsync(line), await onPostgres.PlayAsync(line));
            played.Add($"{line} => {answer}");
            Same(expected, answer, line);
            for (var i = 0; i < Jobs.Length; i++)
                await PinAsync(Jobs[i], before[i], line.StartsWith("pass"));
            Same(await Script.RowsAsync(), await onPostgres.RowsAsync(), "rows");
            return answer;
        }

        /// <summary>
        /// Compares a backoff that has just begun. From then on the script's clock, not the test's, decides whether it is over.
        /// </summary>
        private async Task PinAsync(char job, DateTimeOffset? runAtBefore, bool timePassed)
        {
            if (onPostgres.IdOf(job) is not { } id || Twin.RunAt(Script.IdOf(job)) is not { } runAt)
                return;
            var backoff = Twin.Backoff(Script.IdOf(job));
            if (backoff > TimeSpan.Zero && runAt != runAtBefore)
            {
                Assert.InRange(
                    await postgres.BackoffSecondsAsync(id),
                    0.75 * backoff.TotalSeconds - 0.1,
                    1.25 * backoff.TotalSeconds + 0.1
                );
                await postgres.PinAsync(id, waits: true);
            }
            else if (timePassed && backoff == TimeSpan.Zero)
                await postgres.PinAsync(id, waits: false);
        }

        private void Same(string expected, string actual, string line)
        {
            if (expected != actual)
                Assert.Fail($"{string.Join('\n', played)}\n{line}\n  the twin:   {expected}\n  PostgreSQL: {actual}");
        }
    }
}
