using System.Diagnostics;

namespace Temper.EndToEnd;

/// <summary>Runs the tests of clients/python with Debian's Python against a service that needs a key.</summary>
public sealed class PythonClientTests : IAsyncLifetime
{
    private const string Key = "the key of the Python tests";

    private readonly string home = Directory.CreateTempSubdirectory("temper-test-").FullName;
    private TestDatabase database = null!;
    private ApiProcess api = null!;
    private WorkerProcess worker = null!;

    public async Task InitializeAsync()
    {
        database = await TestDatabase.CreateAsync();
        api = await ApiProcess.StartAsync(database.ConnectionString, new Dictionary<string, string?> { ["Api__Keys__0"] = Key });
        worker = await WorkerProcess.StartOfOneThreadAsync(database.ConnectionString, home);
    }

    public async Task DisposeAsync()
    {
        await worker.DisposeAsync();
        await api.DisposeAsync();
        await database.DisposeAsync();
        Directory.Delete(home, recursive: true);
    }

    [Fact]
    public async Task Tests_OfThePythonClient_PassAgainstARealService()
    {
        var start = new ProcessStartInfo("/usr/bin/python3", ["-m", "unittest", "discover"])
        {
            WorkingDirectory = Path.Combine(TemperProcess.Repository, "clients", "python"),
            RedirectStandardError = true,
        };
        start.Environment["TEMPER_URL"] = api.Http.BaseAddress!.ToString();
        start.Environment["TEMPER_KEY"] = Key;
        start.Environment["PYTHONDONTWRITEBYTECODE"] = "1";
        using var python = Process.Start(start)!;

        var output = await python.StandardError.ReadToEndAsync().WaitAsync(TimeSpan.FromMinutes(5));
        await python.WaitForExitAsync();

        Assert.True(python.ExitCode == 0, output);
        Assert.Matches(@"Ran 1\d tests", output);
    }
}
