using System.Diagnostics;
using Temper.Store.Keys;

namespace Temper.EndToEnd;

/// <summary>A service that needs a key, with one worker.</summary>
public sealed class ServiceWithKey : IAsyncLifetime
{
    private readonly string home = Directory.CreateTempSubdirectory("temper-test-").FullName;
    private TestDatabase database = null!;
    private WorkerProcess worker = null!;

    public ApiProcess Api { get; private set; } = null!;

    public string Key { get; private set; } = null!;

    public async Task InitializeAsync()
    {
        database = await TestDatabase.CreateAsync();
        Key = await database.MakeKeyAsync("clients", scopes: [Scope.Submit, Scope.Operate]);
        Api = await ApiProcess.StartAsync(database.ConnectionString);
        worker = await WorkerProcess.StartOfOneThreadAsync(database.ConnectionString, home);
    }

    public async Task DisposeAsync()
    {
        await worker.DisposeAsync();
        await Api.DisposeAsync();
        await database.DisposeAsync();
        Directory.Delete(home, recursive: true);
    }
}

/// <summary>Uses a real service as its users do: by the command line and in Python.</summary>
public sealed class ClientTests(ServiceWithKey service) : IClassFixture<ServiceWithKey>
{
    private const string Small = "--dataset digits --epochs 2 --model mlp --widths 16";

    /// <summary>Debian's Python runs the tests of clients/python.</summary>
    [Fact]
    public async Task PythonClient_ItsOwnTests_Pass()
    {
        var start = new ProcessStartInfo("/usr/bin/python3", ["-m", "unittest", "discover"])
        {
            WorkingDirectory = Path.Combine(TemperProcess.Repository, "clients", "python"),
            RedirectStandardError = true,
        };
        start.Environment["TEMPER_URL"] = service.Api.Http.BaseAddress!.ToString();
        start.Environment["TEMPER_KEY"] = service.Key;
        start.Environment["PYTHONDONTWRITEBYTECODE"] = "1";
        using var python = Process.Start(start)!;

        var output = await python.StandardError.ReadToEndAsync().WaitAsync(TimeSpan.FromMinutes(5));
        await python.WaitForExitAsync();

        Assert.True(python.ExitCode == 0, output);
        Assert.Matches(@"Ran 2\d tests", output);
    }

    [Fact]
    public async Task CommandLine_AJobFromSubmissionToReport_ShowsEachStep()
    {
        var trained = await RunAsync($"submit {Small} --epsilon 0.1 --watch");

        Assert.True(trained.ExitCode == 0, trained.Errors);
        Assert.Matches(@"(?m)^ +2 +\d\.\d{4} +\d\.\d{4} +\d\.\d{4} +0\.\d{4} ", trained.Output);
        Assert.Matches(@"test: accuracy 0\.\d{4}, ECE 0\.\d{4}, mean confidence 0\.\d{4} (above|below) accuracy\n$", trained.Output);
        var id = System.Text.RegularExpressions.Regex.Match(trained.Errors, "(?m)^Job ([0-9a-f-]{36})$").Groups[1].Value;
        var report = await RunAsync($"report {id}");
        Assert.True(report.ExitCode == 0, report.Errors);
        Assert.Matches(@"(?m)^ece +0\.\d{4} +0\.\d{4} *$", report.Output);
        Assert.Matches("(?m)^after: [A-Z]", report.Output);
        Assert.Contains(id, (await RunAsync("list --state succeeded --json")).Output);
    }

    [Fact]
    public async Task CommandLine_AStudyFromSubmissionToRecommendation_EndsWithItsSentence()
    {
        var trained = await RunAsync($"study submit {Small} --epsilons 0 0.2 --seeds 2 --criterion ece --watch");

        Assert.True(trained.ExitCode == 0, trained.Errors);
        Assert.Matches("(?m)^running   [1-4] ", trained.Output);
        Assert.Matches(@"(?m)^0\.2 +uniform +mlp .* 2 +0\.\d{4} ", trained.Output);
        var id = System.Text.RegularExpressions.Regex.Match(trained.Errors, "(?m)^Study ([0-9a-f-]{36})$").Groups[1].Value;
        var recommendation = (await RunAsync($"recommend {id} --json")).Json;
        Assert.Contains(recommendation["sentence"]!.GetValue<string>(), trained.Output);
        Assert.Equal(1 + 2 * 2 * 2, (await RunAsync($"study metrics {id} --csv")).Output.TrimEnd('\n').Split('\n').Length);
    }

    private async Task<CommandResult> RunAsync(string line)
    {
        using var command = TemperCommand.Start(service.Api.Http.BaseAddress, service.Key, null, line.Split(' '));
        return await command.EndAsync();
    }
}
