namespace Temper.EndToEnd;

/// <summary>Runners that crash, hang or talk nonsense cost an attempt and not the worker.</summary>
public class SickRunnerTests : EndToEndTest
{
    private static readonly object Spec = new { dataset = "digits", epsilon = 0.1, epochs = 3 };

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

    [Fact]
    public async Task Runner_ThatSegfaults_LeavesItsLastWordsOnTheAttempt()
    {
        var (library, crash) = (Path.Combine(Home, "crash.so"), Path.Combine(Home, "crash"));
        await TemperProcess.RunAsync("cc", "-shared", "-fPIC", "-pthread", "-o", library, Path.Combine(TemperProcess.Repository, "tests", "EndToEnd", "crash.c"));
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

        // Not what anyone prints, which goes to standard error, but the protocol's own descriptor.
        File.WriteAllText(ProtocolPipe(worker.Id, runner), "\n\0garbage{]\n");

        var job = await Api.FinishedJobAsync(id, TimeSpan.FromSeconds(60));
        Assert.Equal(("succeeded", 2, 1), (State(job), job["attempt"]!.GetValue<int>(), job["failures"]!.GetValue<int>()));
        Assert.Contains("no message", (await Api.GetAsync($"/jobs/{id}/attempts"))["items"]![0]!["reason"]!.GetValue<string>());
        Assert.False(worker.HasExited);
    }

    [Fact]
    public async Task Worker_WhoseRunnersFailSeveralJobs_TakesNoMoreSaysWhyAndRecovers()
    {
        // A node without the data set: every job on it fails there, whatever the job.
        await StartWorkerAsync(null, ("TEMPER_DATA", Home), ("Worker__Mirror", "http://127.0.0.1:1"), ("Worker__BreakerJobs", "2"), ("Worker__ProbeSeconds", "3"), ("HTTPS_PROXY", "http://127.0.0.1:1"));
        var sick = new List<Guid>();
        for (var i = 0; i < 3; i++) sick.Add(await Api.SubmitAsync(new { dataset = "mnist", epsilon = 0.1, epochs = 1, maxAttempts = 1 }));

        await Eventually.TrueAsync(async () => await WorkerStateAsync() == "suspended", TimeSpan.FromSeconds(60));

        Assert.Contains("2 different jobs failed in a row", (await Api.GetAsync("/workers"))["items"]![0]!["suspendedReason"]!.GetValue<string>());
        Assert.Equal("queued", State(await Api.JobAsync(sick[2])));
        IdxFiles.WriteFolder(Home, "mnist", train: 200, test: 50); // the node is mended
        Assert.Equal("succeeded", State(await Api.FinishedJobAsync(sick[2], TimeSpan.FromSeconds(60))));
        await Eventually.TrueAsync(async () => await WorkerStateAsync() == "alive");
    }

    private async Task<string> WorkerStateAsync() => (await Api.GetAsync("/workers"))["items"]![0]!["state"]!.GetValue<string>();

    /// <summary>The pipe that leads to the worker and is none of the three standard ones.</summary>
    private static string ProtocolPipe(int worker, int runner)
    {
        var standard = Enumerable.Range(0, 3).Select(fd => TargetOf($"/proc/{runner}/fd/{fd}")).ToArray();
        var workers = Directory.GetFiles($"/proc/{worker}/fd").Select(TargetOf).ToHashSet();
        return Directory.GetFiles($"/proc/{runner}/fd").First(fd => TargetOf(fd) is { } target && target.StartsWith("pipe:", StringComparison.Ordinal) && workers.Contains(target) && !standard.Contains(target));
    }

    private static string? TargetOf(string descriptor)
    {
        try
        {
            return File.ResolveLinkTarget(descriptor, false)?.Name;
        }
        catch (IOException)
        {
            return null; // closed meanwhile
        }
    }
}
