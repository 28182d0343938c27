namespace Temper.EndToEnd;

/// <summary>
/// Tests a worker on a machine with cards. A script stands in for nvidia-smi, and libtorch trains on the CPU: what is tested is
/// which card each runner is shown, and what becomes of a card whose runners fail.
/// </summary>
public class DeviceTests : EndToEndTest
{
    private static readonly string[] Two = [FakeNvidiaSmi.Card(0, "GPU-aaaa"), FakeNvidiaSmi.Card(1, "GPU-bbbb")];

    private static readonly object ShortSpec = new
    {
        dataset = "digits",
        epsilon = 0.1,
        epochs = 1,
    };

    [Fact]
    public async Task Worker_WithTwoCards_ShowsEachRunnerOneCardAndSetsABrokenOneAside()
    {
        var script = new FakeNvidiaSmi(Home, Two);
        var worker = await StartWorkerAsync(
            null,
            ("Worker__NvidiaSmi", script.Path),
            ("Worker__BreakerJobs", "2"),
            ("Worker__ProbeSeconds", "4")
        );

        // One slot for each card, whose runner sees that card only.
        await Eventually.TrueAsync(() => Task.FromResult(Shown(worker).SequenceEqual(["GPU-aaaa", "GPU-bbbb"])));
        Assert.Null(VisibleDevices(worker.Id));
        var both = new[] { await SubmitLongAsync(), await SubmitLongAsync() };
        foreach (var id in both)
            await EpochsAsync(id, 1);
        await Eventually.TrueAsync(async () => (await CardsAsync()).All(card => card["busySlots"]!.GetValue<int>() == 1));
        var first = (await CardsAsync())[0];
        Assert.Equal(
            ("GPU-aaaa", "NVIDIA H100 80GB HBM3", 81559, 1000, 0, 1),
            (
                first["uuid"]!.GetValue<string>(),
                first["name"]!.GetValue<string>(),
                first["memoryTotalMiB"]!.GetValue<int>(),
                first["memoryUsedMiB"]!.GetValue<int>(),
                first["utilizationPercent"]!.GetValue<int>(),
                first["slots"]!.GetValue<int>()
            )
        );

        // The runners of the first card are killed under two different jobs.
        var failed = await KillRunnerAsync(worker, "GPU-aaaa", both);
        var kept = both.Single(id => id != failed);
        var next = await SubmitLongAsync();
        await EpochsAsync(next, 1);
        Assert.Equal(next, await KillRunnerAsync(worker, "GPU-aaaa", [kept, next]));
        var waiting = await Api.SubmitAsync(ShortSpec);

        await Eventually.TrueAsync(async () => (await CardsAsync())[0]["setAsideReason"] is not null);
        Assert.Contains("2 different jobs failed in a row", (await CardsAsync())[0]["setAsideReason"]!.GetValue<string>());
        Assert.Null((await CardsAsync())[1]["setAsideReason"]);
        Assert.Equal("alive", State(await WorkerAsync()));
        Assert.Equal("queued", State(await Api.JobAsync(waiting)));

        // After its pause the card is tried again, and the other one has gone on.
        Assert.Equal("succeeded", State(await Api.FinishedJobAsync(waiting, TimeSpan.FromSeconds(60))));
        var other = await Api.JobAsync(kept);
        Assert.Equal(("running", 1), (State(other), other["attempt"]!.GetValue<int>()));
        await Eventually.TrueAsync(async () => (await CardsAsync())[0]["setAsideReason"] is null);
    }

    [Fact]
    public async Task Worker_WhoseOperatorChoseACard_HasTheSlotsOfThatCardOnly()
    {
        var worker = await StartWorkerAsync(
            null,
            ("Worker__NvidiaSmi", new FakeNvidiaSmi(Home, Two).Path),
            ("Worker__SlotsPerDevice", "2"),
            ("CUDA_VISIBLE_DEVICES", "1")
        );

        await Eventually.TrueAsync(() => Task.FromResult(Shown(worker).SequenceEqual(["GPU-bbbb", "GPU-bbbb"])));
        Assert.Equal((1, 2), ((await CardsAsync()).Length, (await WorkerAsync())["slots"]!.GetValue<int>()));
        Assert.Equal("succeeded", State(await TrainShortJobAsync()));
    }

    [Fact]
    public async Task Worker_ForCudaWhoseRunnersSeeNoCard_TakesNoJobs()
    {
        await using var worker = WorkerProcess.Start(
            Database.ConnectionString,
            Home,
            new Dictionary<string, string?>
            {
                ["Worker__NvidiaSmi"] = new FakeNvidiaSmi(Home, Two).Path,
                ["Worker__Device"] = "cuda",
                ["Worker__Threads"] = "1",
            }
        );

        await Eventually.TrueAsync(
            () => Task.FromResult(worker.Output.Contains("No runner starts, trying again: The runner sees no CUDA device.")),
            TimeSpan.FromSeconds(60)
        );

        Assert.Empty((await Api.GetAsync("/workers"))["items"]!.AsArray());
    }

    /// <summary>The worker samples its cards while it trains. A sample that hangs delays neither heartbeats nor the job.</summary>
    [Fact]
    public async Task Worker_WhoseNvidiaSmiHangs_GoesOn()
    {
        var script = new FakeNvidiaSmi(Home, Two);
        await StartWorkerAsync(null, ("Worker__NvidiaSmi", script.Path));
        var asked = Path.Combine(Home, "asked");
        script.Run($"touch {asked}; sleep 60");
        var id = await Api.SubmitAsync(LongSpec);
        await EpochsAsync(id, 1);

        await Eventually.TrueAsync(() => Task.FromResult(File.Exists(asked)), TimeSpan.FromSeconds(60));

        var epochs = (await MetricsAsync(id)).Count;
        await EpochsAsync(id, epochs + 1);
        Assert.Equal("alive", State(await WorkerAsync()));
    }

    [Fact]
    public async Task Worker_ThatIsDrained_FinishesItsJobAndTakesNoMoreUntilItIsResumed()
    {
        await StartWorkerAsync();
        var running = await Api.SubmitAsync(
            new
            {
                dataset = "digits",
                epsilon = 0.1,
                epochs = 6,
            }
        );
        await EpochsAsync(running, 1);
        var id = (await WorkerAsync())["id"]!.GetValue<string>();

        Assert.Equal("draining", await AskAsync($"/workers/{id}/drain"));
        var next = await Api.SubmitAsync(ShortSpec);

        Assert.Equal("succeeded", State(await Api.FinishedJobAsync(running, TimeSpan.FromSeconds(60))));
        await Eventually.TrueAsync(async () => State(await WorkerAsync()) == "drained");
        var heartbeat = (await WorkerAsync())["heartbeatAt"]!.GetValue<DateTimeOffset>();
        await Eventually.TrueAsync(async () => (await WorkerAsync())["heartbeatAt"]!.GetValue<DateTimeOffset>() > heartbeat.AddSeconds(2));
        Assert.Equal("queued", State(await Api.JobAsync(next)));
        Assert.Equal("alive", await AskAsync($"/workers/{id}/resume"));
        Assert.Equal("succeeded", State(await Api.FinishedJobAsync(next, TimeSpan.FromSeconds(60))));
    }

    private async Task<JsonNode> WorkerAsync() => Assert.Single((await Api.GetAsync("/workers"))["items"]!.AsArray())!;

    /// <returns>The state that the answer shows.</returns>
    private async Task<string> AskAsync(string path)
    {
        using var answer = await Api.Http.PostAsync(path, null);
        return State(JsonNode.Parse(await answer.Content.ReadAsStringAsync())!);
    }

    private async Task<JsonNode[]> CardsAsync() => [.. (await WorkerAsync())["devices"]!.AsArray().Select(card => card!)];

    private Task<Guid> SubmitLongAsync() =>
        Api.SubmitAsync(
            new
            {
                dataset = "digits",
                epsilon = 0.1,
                epochs = 5000,
                maxAttempts = 1,
            }
        );

    /// <summary>Kills the runner that is shown the card.</summary>
    /// <returns>The one of these jobs that failed.</returns>
    private async Task<Guid> KillRunnerAsync(WorkerProcess worker, string card, Guid[] jobs)
    {
        await TemperProcess.SignalAsync(worker.Runners().Single(runner => VisibleDevices(runner) == card), "KILL");
        Guid? failed = null;
        await Eventually.TrueAsync(
            async () =>
            {
                foreach (var job in jobs)
                    if (State(await Api.JobAsync(job)) == "failed")
                        failed = job;
                return failed is not null;
            },
            TimeSpan.FromSeconds(30)
        );
        return failed!.Value;
    }

    /// <summary>What the worker's runners are shown, in order.</summary>
    private static string?[] Shown(WorkerProcess worker) => [.. worker.Runners().Select(VisibleDevices).Order()];

    /// <summary>The CUDA_VISIBLE_DEVICES of a process.</summary>
    private static string? VisibleDevices(int process)
    {
        const string name = "CUDA_VISIBLE_DEVICES=";
        try
        {
            return File.ReadAllText($"/proc/{process}/environ")
                .Split('\0')
                .FirstOrDefault(variable => variable.StartsWith(name, StringComparison.Ordinal))
                ?[name.Length..];
        }
        catch (IOException)
        {
            return null; // it has ended
        }
    }
}
