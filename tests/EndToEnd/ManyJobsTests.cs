namespace Temper.EndToEnd;

[Collection(AloneCollection.Name)]
public class ManyJobsTests : EndToEndTest
{
    private const int Jobs = 80;

    [Fact]
    public async Task TwoWorkers_ManyTinyJobs_RunEachOncePriorityFirst()
    {
        var data = IdxFiles.WriteFolder(Path.Combine(Home, "data"), "kmnist", train: 40, test: 20);
        var priorities = Enumerable.Range(0, Jobs).Select(i => i * 37 % 5).ToArray();
        await Task.WhenAll(
            priorities.Select(priority =>
                Api.SubmitAsync(
                    new
                    {
                        dataset = "kmnist",
                        epsilon = 0.1,
                        epochs = 1,
                        priority,
                    }
                )
            )
        );

        await Task.WhenAll(Enumerable.Range(0, 2).Select(_ => StartWorkerAsync(null, ("TEMPER_DATA", data), ("Worker__Threads", "1"))));

        await Eventually.TrueAsync(
            async () => await Database.ScalarAsync<long>("SELECT count(*) FROM jobs WHERE finished_at IS NOT NULL") == Jobs,
            TimeSpan.FromSeconds(120)
        );
        Assert.Equal(
            Jobs,
            await Database.ScalarAsync<long>("SELECT count(*) FROM jobs WHERE state = 'succeeded' AND attempt = 1 AND failures = 0")
        );
        Assert.Equal(Jobs, await Database.ScalarAsync<long>("SELECT count(*) FROM epochs WHERE epoch = 1 AND attempt = 1"));
        // Two workers now and then claim at nearly the same time; apart from that no job starts before one of higher priority.
        Assert.Equal(
            0,
            await Database.ScalarAsync<long>(
                "SELECT count(*) FROM jobs low JOIN jobs high ON high.priority > low.priority AND high.claimed_at > low.claimed_at + "
                    + "interval '50 milliseconds'"
            )
        );
        Assert.Equal(1, await Database.ScalarAsync<long>("SELECT count(DISTINCT result->>'weightsSha256') FROM jobs"));
    }
}
