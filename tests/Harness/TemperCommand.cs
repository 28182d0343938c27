using System.Diagnostics;
using System.Text;
using System.Text.Json.Nodes;

namespace Temper.Harness;

/// <summary>The result of a `temper` command that has ended.</summary>
public sealed record CommandResult(int ExitCode, string Output, string Errors)
{
    /// <summary>The whole standard output as JSON.</summary>
    public JsonNode Json => JsonNode.Parse(Output)!;
}

/// <summary>The command line in its own process, with its output in pipes.</summary>
public sealed class TemperCommand : IDisposable
{
    private static readonly TimeSpan Longest = TimeSpan.FromMinutes(2);

    private readonly Process process;
    private readonly StringBuilder output = new();
    private readonly Task outputRead;
    private readonly Task<string> errors;

    private TemperCommand(Process process)
    {
        this.process = process;
        errors = process.StandardError.ReadToEndAsync();
        outputRead = ReadOutputAsync();
    }

    public int Id => process.Id;

    /// <summary>What it has printed so far.</summary>
    public string Output
    {
        get
        {
            lock (output)
                return output.ToString();
        }
    }

    /// <param name="url">TEMPER_URL.</param>
    /// <param name="key">TEMPER_KEY; not set when null.</param>
    /// <param name="folder">Its working folder; that of the tests when null.</param>
    public static TemperCommand Start(Uri? url, string? key, string? folder, params string[] arguments)
    {
        // Where the tests run in the background, the shell lets them and their children ignore SIGINT.
        var start = new ProcessStartInfo(
            "env",
            ["--default-signal=INT", Path.Combine(TemperProcess.BuildOf("Cli"), "Temper.Cli"), .. arguments]
        )
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = folder ?? "",
        };
        start.Environment["TEMPER_URL"] = url?.ToString();
        start.Environment["TEMPER_KEY"] = key;
        var process = Process.Start(start)!;
        process.StandardInput.Close();
        return new(process);
    }

    public async Task<CommandResult> EndAsync()
    {
        await process.WaitForExitAsync().WaitAsync(Longest);
        await outputRead;
        return new(process.ExitCode, Output, await errors);
    }

    public void Dispose()
    {
        if (!process.HasExited)
            process.Kill();
        process.Dispose();
    }

    private async Task ReadOutputAsync()
    {
        var buffer = new char[4096];
        for (int read; (read = await process.StandardOutput.ReadAsync(buffer)) > 0; )
            lock (output)
                output.Append(buffer, 0, read);
    }
}
