namespace Temper.EndToEnd;

/// <summary>Tests that a runner that crashes, hangs or writes nonsense costs one attempt and does not end the worker.</summary>
public class SickRunnerTests : EndToEndTest
{
    private static readonly object Spec = new
    {
        dataset = "digits",
        epsilon = 0.1,
        epochs = 5,
    };

    [Fact]
    public async Task Runner_ThatHangs_IsKilledAndTheJobRunsAgain()
    {
        var worker = await StartWorkerAsync(null, ("Worker__HangSeconds", "8"));
        var id = await Api.SubmitAsync(Spec);
        await EpochsAsync(id, 1);
        var hung = Assert.Single(worker.Runners());

        await TemperProcess.SignalAsync(hung, "STOP");

        var job = await Api.FinishedJobAsync(id, TimeSpan.FromSeconds(60));
        Assert.Equal(("succeeded", 2, 1), (State(job), job["attempt"]!.GetValue<int>(), job["failures"]!.GetValue<int>()));
        var attempts = (await Api.GetAsync($"/jobs/{id}/attempts"))["items"]!.AsArray();
        Assert.Equal(["failed", "succeeded"], await OutcomesAsync(id));
        Assert.Contains("no sign of life for 8 s", attempts[0]!["reason"]!.GetValue<string>());
        Assert.DoesNotContain(hung, worker.Runners());
        Assert.False(worker.HasExited);
    }

    /// <summary>
    /// A training step, a batch of an evaluation, or the transfer of a model of a hundred megabytes takes longer than the
    /// worker's limit.
    /// </summary>
    [Theory]
    [InlineData("""{ "model": "mlp", "widths": [2048, 2048, 2048, 2048], "batchSize": 32 }""")]
    [InlineData("""{ "model": "resnet56", "width": 96, "batchSize": 8, "optimizer": "sgd", "learningRate": 0.01 }""")]
    public async Task Runner_WhoseModelIsLarge_IsNotTakenForHung(string model)
    {
        var data = IdxFiles.WriteFolder(Path.Combine(Home, "own"), "kmnist", 20, 20);
        await StartWorkerAsync(null, ("Worker__HangSeconds", "2"), ("TEMPER_DATA", data));
        var spec = JsonNode.Parse(model)!;
        (spec["dataset"], spec["epsilon"], spec["epochs"]) = ("kmnist", 0.1, 1);

        var id = await Api.SubmitAsync(spec);

        var job = await Api.FinishedJobAsync(id, TimeSpan.FromMinutes(5));
        Assert.Equal(("succeeded", 1, 0), (State(job), job["attempt"]!.GetValue<int>(), job["failures"]!.GetValue<int>()));
    }

    [Fact]
    public async Task Runner_ThatSegfaults_LeavesItsLastWordsOnTheAttempt()
    {
        var (library, crash) = await CompileCrashAsync();
        var worker = await StartWorkerAsync(null, ("LD_PRELOAD", library), ("TEMPER_TEST_CRASH", crash));
        var id = await Api.SubmitAsync(Spec);
        await EpochsAsync(id, 1);

        File.WriteAllText(crash, "");

        var job = await Api.FinishedJobAsync(id, TimeSpan.FromSeconds(60));
        Assert.Equal(("succeeded", 2, 1), (State(job), job["attempt"]!.GetValue<int>(), job["failures"]!.GetValue<int>()));
        var attempt = (await Api.GetAsync($"/jobs/{id}/attempts"))["items"]![0]!;
        Assert.Equal("The runner was ended by signal 11.", attempt["reason"]!.GetValue<string>());
        Assert.Contains("the kernel of conv2d went astray", attempt["errorOutput"]!.GetValue<string>());
        Assert.False(worker.HasExited);
    }

    [Fact]
    public async Task Runner_ThatWritesNonsenseOnItsPipe_CostsOneAttempt()
    {
        var worker = await StartWorkerAsync();
        var id = await Api.SubmitAsync(Spec);
        await EpochsAsync(id, 1);
        var runner = Assert.Single(worker.Runners());

        // Writes to the descriptor of the protocol. Printed text would go to standard error instead.
        File.WriteAllText(ProtocolPipe(worker.Id, runner), "\n\0garbage{]\n");

        var job = await Api.FinishedJobAsync(id, TimeSpan.FromSeconds(60));
        Assert.Equal(("succeeded", 2, 1), (State(job), job["attempt"]!.GetValue<int>(), job["failures"]!.GetValue<int>()));
        Assert.Contains("no message", (await Api.GetAsync($"/jobs/{id}/attempts"))["items"]![0]!["reason"]!.GetValue<string>());
        Assert.False(worker.HasExited);
    }

    [Fact]
    public async Task Worker_WhoseRunnersFailSeveralJobs_TakesNoMoreSaysWhyAndRecovers()
    {
        var (library, crash) = await CompileCrashAsync();
        await StartWorkerAsync(
            null,
            ("LD_PRELOAD", library),
            ("TEMPER_TEST_CRASH", crash),
            ("Worker__BreakerJobs", "2"),
            ("Worker__ProbeSeconds", "3")
        );
        for (var i = 0; i < 2; i++)
        {
            var sick = await Api.SubmitAsync(
                new
                {
                    dataset = "digits",
                    epsilon = 0.1,
                    epochs = 500,
                    maxAttempts = 1,
                }
            );
            await EpochsAsync(sick, 1);
            File.WriteAllText(crash, "");
            Assert.Equal("failed", State(await Api.FinishedJobAsync(sick, TimeSpan.FromSeconds(30))));
        }
        var next = await Api.SubmitAsync(Spec);

        await Eventually.TrueAsync(async () => await WorkerStateAsync() == "suspended"); // the next heartbeat reports it
        Assert.Contains(
            "2 different jobs failed in a row",
            (await Api.GetAsync("/workers"))["items"]![0]!["suspendedReason"]!.GetValue<string>()
        );
        Assert.Equal("queued", State(await Api.JobAsync(next)));
        Assert.Equal("succeeded", State(await Api.FinishedJobAsync(next, TimeSpan.FromSeconds(60)))); // a probe has succeeded
        await Eventually.TrueAsync(async () => await WorkerStateAsync() == "alive");
    }

    /// <returns>The library to preload, and the file whose existence makes a runner crash once.</returns>
    private async Task<(string Library, string Crash)> CompileCrashAsync()
    {
        var library = Path.Combine(Home, "crash.so");
        await TemperProcess.RunAsync(
            "cc",
            "-shared",
            "-fPIC",
            "-pthread",
            "-o",
            library,
            Path.Combine(TemperProcess.Repository, "tests", "EndToEnd", "crash.c")
        );
        return (library, Path.Combine(Home, "crash"));
    }

    private async Task<string> WorkerStateAsync() => (await Api.GetAsync("/workers"))["items"]![0]!["state"]!.GetValue<string>();

    /// <summary>The runner's pipe to the worker that is none of its three standard streams.</summary>
    private static string ProtocolPipe(int worker, int runner)
    {
        var standard = Enumerable.Range(0, 3).Select(fd => TargetOf($"/proc/{runner}/fd/{fd}")).ToArray();
        var workers = Directory.GetFiles($"/proc/{worker}/fd").Select(TargetOf).ToHashSet();
        return Directory
            .GetFiles($"/proc/{runner}/fd")
            .First(fd =>
                TargetOf(fd) is { } target
                && target.StartsWith("pipe:", StringComparison.Ordinal)
                && workers.Contains(target)
                && !standard.Contains(target)
            );
    }

    private static string? TargetOf(string descriptor)
    {
        try
        {
            return File.ResolveLinkTarget(descriptor, false)?.Name;
        }
        catch (IOException)
        {
            return null; // the descriptor was closed meanwhile
        }
    }
}
