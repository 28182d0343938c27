using System.Net;
using System.Net.Http.Json;

namespace Temper.EndToEnd;

/// <summary>
/// Tests what happens when the database is unavailable or cannot store: training goes on, no healthy job runs again, and
/// everything recovers by itself.
/// </summary>
public class OutageTests : EndToEndTest
{
    private static readonly (string, string) ShortLease = ("Worker__LeaseSeconds", "5");

    [Fact]
    public async Task Outage_OfEveryoneBeyondTheLease_CostsNoJobAnything()
    {
        using var proxy = new TcpProxy(Database.ConnectionString);
        await StartWorkerAsync(proxy.ConnectionString, ShortLease);
        await StartWorkerAsync(proxy.ConnectionString, ShortLease);
        Guid[] ids = [await Api.SubmitAsync(LongSpec), await Api.SubmitAsync(LongSpec)];
        foreach (var id in ids)
            await EpochsAsync(id, 1);

        proxy.Cut();
        await Task.Delay(TimeSpan.FromSeconds(12)); // the outage itself
        proxy.Mend();

        foreach (var id in ids)
        {
            var epochs = (await MetricsAsync(id)).Count;
            await EpochsAsync(id, epochs + 3);
            Assert.Equal(["under way"], await OutcomesAsync(id));
        }
    }

    [Fact]
    public async Task Shutdown_WhileTheDatabaseIsAway_EndsInTimeAndTheJobIsNotLost()
    {
        using var proxy = new TcpProxy(Database.ConnectionString);
        var worker = await StartWorkerAsync(proxy.ConnectionString);
        var id = await Api.SubmitAsync(
            new
            {
                dataset = "digits",
                epsilon = 0.1,
                epochs = 8,
            }
        );
        await EpochsAsync(id, 1);
        proxy.Cut();

        await worker.SignalAsync("TERM");
        await worker.WaitForExitAsync(TimeSpan.FromSeconds(12)); // the limit of 10 s, plus 2 s for a busy machine

        await StartWorkerAsync();
        Assert.Equal("succeeded", State(await Api.FinishedJobAsync(id, TimeSpan.FromSeconds(60))));
    }

    [SmallDiskFact]
    public async Task FullDisk_OfTheDatabase_Is503AndCostsNoJobAnything()
    {
        await using var disk = await SmallDisk.MountAsync(megabytes: 64);
        await using var database = await disk.CreateDatabaseAsync();
        await using var api = await ApiProcess.StartAsync(database.ConnectionString);
        await using var worker = await WorkerProcess.StartAsync(database.ConnectionString, Home, Environment(ShortLease));
        await using var watcher = await WorkerProcess.StartAsync(database.ConnectionString, Home, Environment(ShortLease));
        var id = await api.SubmitAsync(LongSpec);
        await Eventually.TrueAsync(
            async () => (await api.GetAsync($"/jobs/{id}/metrics"))["items"]!.AsArray().Count >= 1,
            TimeSpan.FromSeconds(60)
        );

        await disk.FillAsync(database);

        var response = await Eventually.ValueAsync(
            () =>
                api.Http.PostAsJsonAsync(
                    "/jobs",
                    new
                    {
                        dataset = "digits",
                        epsilon = 0,
                        epochs = 1,
                        name = new string('x', 200),
                    }
                ),
            answer => answer.StatusCode == HttpStatusCode.ServiceUnavailable
        );
        Assert.NotNull(response.Headers.RetryAfter);
        await Eventually.TrueAsync(async () => (await api.Http.GetAsync("/health/ready")).StatusCode == HttpStatusCode.ServiceUnavailable);
        Assert.True(await api.AnswersAsync($"/jobs/{id}")); // reads still work
        await Task.Delay(TimeSpan.FromSeconds(10)); // the disk is full for longer than a lease
        await disk.EmptyAsync(database);

        await Eventually.TrueAsync(() => api.AnswersAsync("/health/ready"));
        var before = (await api.GetAsync($"/jobs/{id}/metrics"))["items"]!.AsArray().Count;
        await Eventually.TrueAsync(
            async () => (await api.GetAsync($"/jobs/{id}/metrics"))["items"]!.AsArray().Count >= before + 3,
            TimeSpan.FromSeconds(60)
        );
        Assert.Equal(
            before + 3,
            (await api.GetAsync($"/jobs/{id}/metrics"))["items"]!
                .AsArray()
                .Take(before + 3)
                .Select(epoch => epoch!["epoch"]!.GetValue<int>())
                .Last()
        ); // no epoch is missing
        var job = await api.JobAsync(id);
        Assert.Equal((1, 0), (job["attempt"]!.GetValue<int>(), job["failures"]!.GetValue<int>()));
    }

    private static Dictionary<string, string?> Environment((string Name, string Value) variable) =>
        new() { [variable.Name] = variable.Value };
}
