using System.Diagnostics;
using System.Text;

namespace Temper.Harness;

/// <summary>The API or a worker in its own process, from the build beside these tests.</summary>
public class TemperProcess : IAsyncDisposable
{
    private readonly Process process;
    private readonly StringBuilder output = new();
    private readonly string project;
    private volatile bool disposed;

    /// <param name="project">Api or Worker.</param>
    /// <param name="folder">The folder of the program; the build's output folder when null.</param>
    protected TemperProcess(string project, IReadOnlyDictionary<string, string?> environment, string? folder = null)
    {
        var start = new ProcessStartInfo(Path.Combine(folder ?? BuildOf(project), $"Temper.{project}"))
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            RedirectStandardInput = true,
        };
        foreach (var (name, value) in environment)
            start.Environment[name] = value;
        Secrets.AddFrom(environment);
        this.project = project;
        process = new Process { StartInfo = start };
        process.OutputDataReceived += (_, line) => Keep(line.Data);
        process.ErrorDataReceived += (_, line) => Keep(line.Data);
        process.Start();
        Id = process.Id;
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
    }

    /// <summary>The output folder of a project's build.</summary>
    public static string BuildOf(string project) => Path.Combine(Repository, "src", project, "bin", Configuration, "net10.0");

    /// <summary>The folder with Service.sln.</summary>
    public static string Repository { get; } = FindUp(AppContext.BaseDirectory);

    public int Id { get; }

    public bool HasExited => disposed || process.HasExited;

    public int ExitCode => process.ExitCode;

    /// <summary>What the process has printed so far.</summary>
    public string Output
    {
        get
        {
            lock (output)
                return output.ToString();
        }
    }

    /// <summary>Kills the process with SIGKILL.</summary>
    public Task KillAsync()
    {
        process.Kill();
        return WaitForExitAsync(TimeSpan.FromSeconds(10));
    }

    /// <param name="signal">TERM, STOP, CONT …</param>
    public Task SignalAsync(string signal) => SignalAsync(Id, signal);

    public static Task SignalAsync(int processId, string signal) => RunAsync("kill", "-s", signal, processId.ToString());

    public static async Task RunAsync(string program, params string[] arguments)
    {
        using var process = Process.Start(program, arguments);
        await process.WaitForExitAsync();
    }

    public async Task WaitForExitAsync(TimeSpan limit)
    {
        using var timeout = new CancellationTokenSource(limit);
        await process.WaitForExitAsync(timeout.Token);
    }

    /// <exception cref="InvalidOperationException">The process ended, or was not ready in time and is ended.</exception>
    protected async Task UntilReadyAsync(Func<Task<bool>> isReady, TimeSpan? limit = null)
    {
        try
        {
            await Eventually.TrueAsync(async () => HasExited ? throw new InvalidOperationException("It ended.") : await isReady(), limit);
        }
        catch (Exception e) when (e is InvalidOperationException or TimeoutException)
        {
            await DisposeAsync();
            throw new InvalidOperationException($"Temper.{project} is not ready. {e.Message}\n{Output}", e);
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (!HasExited)
        {
            await SignalAsync("CONT"); // a stopped process does not handle TERM
            await SignalAsync("TERM");
            try
            {
                await WaitForExitAsync(TimeSpan.FromSeconds(15));
            }
            catch (OperationCanceledException)
            {
                process.Kill();
            }
        }
        disposed = true;
        process.Dispose();
        GC.SuppressFinalize(this);
        AssertPrintedNoSecret();
    }

    /// <exception cref="InvalidOperationException">The process has printed a secret of these tests.</exception>
    public void AssertPrintedNoSecret()
    {
        if (Secrets.FindIn(Output) is { } secret)
            throw new InvalidOperationException($"Temper.{project} printed a secret, {secret[..8]}…:\n{Output}");
    }

    private void Keep(string? line)
    {
        if (line is null)
            return;
        lock (output)
            output.AppendLine(line);
    }

    private static string Configuration =>
        AppContext.BaseDirectory.Contains($"{Path.DirectorySeparatorChar}Debug{Path.DirectorySeparatorChar}") ? "Debug" : "Release";

    private static string FindUp(string folder) =>
        File.Exists(Path.Combine(folder, "Service.sln"))
            ? folder
            : FindUp(Path.GetDirectoryName(folder) ?? throw new InvalidOperationException("Not inside the repository."));
}
