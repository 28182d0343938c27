using System.Diagnostics;

namespace Temper.Harness;

/// <summary>A PostgreSQL server for one test alone, which may therefore restart and crash it. It is deleted at the end.</summary>
public sealed class PostgresServer : IAsyncDisposable
{
    private readonly string home = Directory.CreateTempSubdirectory("temper-postgres-").FullName;

    private PostgresServer() { }

    public string ConnectionString { get; private set; } = null!;

    public static async Task<PostgresServer> StartAsync()
    {
        var server = new PostgresServer();
        try
        {
            server.ConnectionString = (await server.ScriptAsync("start", Environment.ProcessId.ToString())).Trim();
            return server;
        }
        catch
        {
            await server.DisposeAsync();
            throw;
        }
    }

    /// <summary>Restarts the server. It cuts its clients off and rolls back their open transactions.</summary>
    public Task RestartAsync() => ScriptAsync("restart", "fast");

    /// <summary>Ends every process of the server at once. The server recovers from its log when it starts again.</summary>
    public Task CrashAsync() => ScriptAsync("restart", "immediate");

    public async ValueTask DisposeAsync()
    {
        await ScriptAsync("stop", Environment.ProcessId.ToString());
        await ScriptAsync("delete");
        Directory.Delete(home, recursive: true);
    }

    private async Task<string> ScriptAsync(params string[] arguments)
    {
        var start = new ProcessStartInfo(Path.Combine(TemperProcess.Repository, "scripts", "postgres.sh"), arguments)
        {
            RedirectStandardOutput = true,
        };
        start.Environment["TEMPER_HOME"] = home;
        using var script = Process.Start(start)!;
        var output = await script.StandardOutput.ReadToEndAsync();
        await script.WaitForExitAsync();
        return script.ExitCode == 0
            ? output
            : throw new InvalidOperationException($"scripts/postgres.sh {arguments[0]} ended with {script.ExitCode}.");
    }
}
