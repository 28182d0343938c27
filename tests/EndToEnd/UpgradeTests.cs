using System.Net;
using Temper.Domain.Jobs;

namespace Temper.EndToEnd;

/// <summary>A worker and an API of this build on the database of a newer one.</summary>
public class UpgradeTests : EndToEndTest
{
    private const string Newer = "29990101000000_Newer";

    [Fact]
    public async Task Schema_ThatANewerBuildMigrates_ServesThisBuildUntilSomethingIsRemoved()
    {
        await Database.ExecuteAsync(
            $"INSERT INTO \"__EFMigrationsHistory\" VALUES ('{Newer}', '99.0.0'); ALTER TABLE jobs ADD mood text NOT NULL DEFAULT 'blue'"
        );
        var newer = await Api.SubmitAsync(LongSpec);
        await Database.ExecuteAsync(
            $"UPDATE jobs SET spec = jsonb_set(spec, '{{model}}', '\"transformer\"'), spec_revision = {SpecRevision.Known + 1}"
        );

        // It starts on the newer schema, leaves the newer job, and trains the others.
        var worker = await StartWorkerAsync();
        Assert.Equal("succeeded", State(await TrainShortJobAsync()));
        Assert.Equal("queued 0", await Database.ScalarAsync<string>($"SELECT state || ' ' || failures FROM jobs WHERE id = '{newer}'"));
        Assert.Contains(newer.ToString(), (await Api.GetAsync("/jobs"))["note"]!.GetValue<string>());
        var running = await Api.SubmitAsync(LongSpec);
        await EpochsAsync(running, 1);

        await Database.ExecuteAsync($"INSERT INTO required_migrations VALUES ('{Newer}')");

        // The worker hands its job back and ends; the API refuses everything; neither starts again.
        await worker.WaitForExitAsync(TimeSpan.FromSeconds(20));
        Assert.Equal(1, worker.ExitCode);
        Assert.Contains("needs a newer build", worker.Output);
        Assert.Equal(
            "queued 0 handed_back",
            await Database.ScalarAsync<string>(
                $"SELECT state || ' ' || failures || ' ' || outcome FROM jobs JOIN attempts ON job_id = id WHERE id = '{running}'"
            )
        );
        foreach (var path in new[] { "/health/ready", "/jobs" })
        {
            await Eventually.TrueAsync(async () => (await Api.Http.GetAsync(path)).StatusCode == HttpStatusCode.ServiceUnavailable);
            Assert.Contains(path == "/jobs" ? "needs a newer build" : "Unhealthy", await TextAsync(path));
        }
        Assert.True(await Api.AnswersAsync("/health/live"));
        var refused = Assert.ThrowsAsync<InvalidOperationException>(() => StartWorkerAsync());
        await using var again = ApiProcess.Start(Database.ConnectionString);
        await again.WaitForExitAsync(TimeSpan.FromSeconds(20));
        Assert.Equal(1, again.ExitCode);
        Assert.Contains("needs a newer build", again.Output);
        Assert.Contains("needs a newer build", (await refused).Message);
    }

    private async Task<string> TextAsync(string path) => await (await Api.Http.GetAsync(path)).Content.ReadAsStringAsync();
}
