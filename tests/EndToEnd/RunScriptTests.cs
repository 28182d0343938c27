using System.Diagnostics;

namespace Temper.EndToEnd;

/// <summary>Tests the commands that a new user types.</summary>
public sealed class RunScriptTests : IAsyncLifetime
{
    private readonly string home = Directory.CreateTempSubdirectory("temper-run-").FullName;
    private readonly int port = ApiProcess.FreePort();
    private readonly List<Process> started = [];

    private static readonly TimeSpan Longest = TimeSpan.FromMinutes(4);

    public Task InitializeAsync() => Task.CompletedTask;

    public async Task DisposeAsync()
    {
        // Also after a failed test: stops every script that still runs, which stops the processes that it started.
        foreach (var process in started.Where(process => !process.HasExited))
        {
            await TemperProcess.SignalAsync(process.Id, "TERM");
            await process.WaitForExitAsync().WaitAsync(Longest);
        }
        var delete = Start("scripts/postgres.sh", "delete");
        await delete.WaitForExitAsync().WaitAsync(Longest);
        Directory.Delete(home, recursive: true);
    }

    [Fact]
    public async Task Run_OnceAndThenAgain_TrainsTheDemoAndFindsItsJobLater()
    {
        var once = Start("run", "--once");
        var output = await once.StandardOutput.ReadToEndAsync().WaitAsync(Longest);
        await once.WaitForExitAsync().WaitAsync(Longest);
        Assert.True(once.ExitCode == 0, output);
        Assert.Matches(@"epoch \d/8   step \d+/29   \d+ images/s   \d+ s left", output);
        Assert.Contains("epoch  train loss  validation loss  after T  accuracy     ECE", output);
        Assert.Matches(@"(?m)^ +8 +\d\.\d{4} +\d\.\d{4} +\d\.\d{4} +0\.\d{4} +0\.\d{4} ", output);
        Assert.Contains("test: accuracy 0.", output);

        var serve = Start("run", "--serve");
        using var http = new HttpClient { BaseAddress = new($"http://127.0.0.1:{port}") };
        await Eventually.TrueAsync(async () => await AnswersAsync(http), TimeSpan.FromSeconds(120));
        var jobs = JsonNode.Parse(await http.GetStringAsync("/jobs"))!["items"]!.AsArray();
        var job = Assert.Single(jobs)!;
        Assert.Equal(("demo", "succeeded"), (job["spec"]!["name"]!.GetValue<string>(), job["state"]!.GetValue<string>()));

        await TemperProcess.SignalAsync(serve.Id, "TERM");
        await serve.WaitForExitAsync().WaitAsync(Longest);

        Assert.Equal(0, serve.ExitCode);
        Assert.False(await AnswersAsync(http));
        Assert.Empty(Ours());
    }

    [Fact]
    public async Task Run_ItsWorkerDies_StopsEverythingElseAndSaysSo()
    {
        var serve = Start("run", "--serve");
        await Eventually.TrueAsync(() => Task.FromResult(Ours().Any(IsWorker)), Longest);
        using var http = new HttpClient { BaseAddress = new($"http://127.0.0.1:{port}") };
        await Eventually.TrueAsync(async () => await AnswersAsync(http), Longest);

        await TemperProcess.SignalAsync(Ours().First(IsWorker).Id, "KILL");
        await serve.WaitForExitAsync().WaitAsync(Longest);

        Assert.Equal(1, serve.ExitCode);
        Assert.Empty(Ours());
        Assert.Empty(Directory.EnumerateFiles(Path.Combine(home, "users")));
    }

    [Theory]
    [InlineData("TEMPER_PORT", "abc")]
    [InlineData("TEMPER_PORT", "70000")]
    [InlineData("TEMPER_SLOTS", "0")]
    [InlineData("TEMPER_DATA", "/nonexistent")]
    public async Task Run_ASettingThatIsNone_IsRefusedAtOnce(string name, string value)
    {
        var run = Start("run", "--once", (name, value));

        await run.WaitForExitAsync().WaitAsync(TimeSpan.FromSeconds(10));

        Assert.Equal(2, run.ExitCode);
    }

    /// <summary>
    /// The processes that ./run started, except PostgreSQL: each has the test's TEMPER_HOME in its environment.
    /// </summary>
    private Process[] Ours() => [.. Process.GetProcesses().Where(process => EnvironmentOf(process).Contains($"TEMPER_HOME={home}"))];

    private static bool IsWorker(Process process)
    {
        try
        {
            return File.ReadAllText($"/proc/{process.Id}/cmdline") is var line
                && line.Contains("Temper.Worker")
                && !line.Contains("runner");
        }
        catch (IOException)
        {
            return false; // the process has ended; the script runs short commands
        }
    }

    private Process Start(string script, string argument, params (string Name, string Value)[] environment)
    {
        var start = new ProcessStartInfo(Path.Combine(TemperProcess.Repository, script), [argument]) { RedirectStandardOutput = true };
        start.Environment["TEMPER_HOME"] = home;
        start.Environment["TEMPER_PORT"] = port.ToString();
        foreach (var (name, value) in environment)
            start.Environment[name] = value;
        var process = Process.Start(start)!;
        started.Add(process);
        return process;
    }

    private static async Task<bool> AnswersAsync(HttpClient http)
    {
        try
        {
            return (await http.GetAsync("/health/ready")).IsSuccessStatusCode;
        }
        catch (HttpRequestException)
        {
            return false;
        }
    }

    private static string EnvironmentOf(Process process)
    {
        try
        {
            return File.ReadAllText($"/proc/{process.Id}/environ");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return ""; // the process has ended, or this user may not read it
        }
    }
}
