using System.Diagnostics;
using Temper.Worker.Messages;

namespace Temper.Worker.Supervisor;

/// <summary>A runner as its supervisor sees it: a process, two pipes, and the last lines it wrote on standard error.</summary>
internal sealed class RunnerProcess : IAsyncDisposable
{
    private const int KeptErrorLines = 20;

    /// <summary>A process that a driver holds in the kernel does not even die: it is left behind, and its slot goes on.</summary>
    private static readonly TimeSpan EndLimit = TimeSpan.FromSeconds(10);

    private readonly Process process;
    private readonly MessageWriter<RunnerCommand> commands;
    private readonly MessageReader<RunnerMessage> messages;
    private readonly Queue<string> lastErrors = new();
    private long lastSign = Stopwatch.GetTimestamp();

    private RunnerProcess(Process process)
    {
        this.process = process;
        commands = new(process.StandardInput.BaseStream, NoteSign);
        messages = new(process.StandardOutput.BaseStream, NoteSign);
    }

    /// <summary>What it said when it was ready.</summary>
    public Ready Ready { get; private set; } = null!;

    public bool HasExited => process.HasExited;

    /// <summary>How long ago it last sent or took a piece of a message. What it writes on standard error is no sign of progress.</summary>
    public TimeSpan Silence => Stopwatch.GetElapsedTime(Volatile.Read(ref lastSign));

    /// <summary>The last lines it wrote on standard error about its job; null without any. Whole once it has ended.</summary>
    public string? ErrorOutput
    {
        get
        {
            lock (lastErrors)
                return lastErrors.Count == 0 ? null : string.Join('\n', lastErrors);
        }
    }

    /// <summary>Starts a runner and waits until libtorch is loaded and warm.</summary>
    /// <exception cref="RunnerFailedException">It ended, or said something else.</exception>
    public static async Task<RunnerProcess> StartAsync(int slot, WorkerOptions options, ILogger log, CancellationToken cancellationToken)
    {
        var start = new ProcessStartInfo(Environment.ProcessPath!)
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            Environment =
            {
                ["TEMPER_HOME"] = options.Home,
                ["TEMPER_DATA"] = options.DataFolder,
                // Without it cuBLAS may add up in another order each time.
                ["CUBLAS_WORKSPACE_CONFIG"] = ":4096:8",
            },
        };
        // Started as `dotnet Temper.Worker.dll` or as Temper.Worker itself.
        if (Path.GetFileNameWithoutExtension(Environment.ProcessPath) == "dotnet")
            start.ArgumentList.Add(typeof(RunnerProcess).Assembly.Location);
        foreach (var argument in new[] { "runner", $"--slot={slot}", $"--threads={options.ThreadsPerRunner}" })
            start.ArgumentList.Add(argument);

        // It has no business with the database.
        foreach (
            var secret in start
                .Environment.Keys.Where(name => name.StartsWith("ConnectionStrings", StringComparison.OrdinalIgnoreCase))
                .ToArray()
        )
            start.Environment.Remove(secret);

        var runner = new RunnerProcess(Process.Start(start)!);
        runner.process.ErrorDataReceived += (_, line) => runner.KeepError(line.Data, log);
        runner.process.BeginErrorReadLine();
        try
        {
            runner.Ready =
                await runner.ReadAsync().WaitAsync(options.StartLimit, cancellationToken) as Ready
                ?? throw new RunnerFailedException("The runner did not say that it is ready.");
            return runner;
        }
        catch (TimeoutException)
        {
            await runner.DisposeAsync();
            throw new RunnerFailedException($"The runner was not ready within {options.StartLimit.TotalSeconds:0} s.");
        }
        catch
        {
            await runner.DisposeAsync();
            throw;
        }
    }

    /// <exception cref="RunnerFailedException">The runner is gone.</exception>
    public async Task SendAsync(RunnerCommand command)
    {
        // What it says from now on is about this command's job.
        if (command is Train)
            lock (lastErrors)
                lastErrors.Clear();
        NoteSign();
        try
        {
            await Task.Run(() => commands.Write(command)); // a runner that hangs reads nothing
        }
        catch (IOException e)
        {
            throw new RunnerFailedException(await DescribeEndAsync(), e);
        }
    }

    /// <summary>The next message.</summary>
    /// <exception cref="RunnerFailedException">The runner ended, or wrote something that is no message.</exception>
    public async Task<RunnerMessage> ReadAsync()
    {
        RunnerMessage? message;
        try
        {
            message = await messages.ReadAsync();
        }
        catch (InvalidDataException e)
        {
            throw new RunnerFailedException($"The runner wrote something that is no message: {e.Message}", e);
        }
        catch (IOException e)
        {
            throw new RunnerFailedException(await DescribeEndAsync(), e);
        }
        return message ?? throw new RunnerFailedException(await DescribeEndAsync());
    }

    /// <summary>Ends the process, whatever it is doing, and takes in the rest of its error output.</summary>
    public async Task EndAsync()
    {
        process.Kill();
        using var limit = new CancellationTokenSource(EndLimit);
        await process.WaitForExitAsync(limit.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    public async ValueTask DisposeAsync()
    {
        await EndAsync();
        process.Dispose();
    }

    /// <summary>Its output ended, so it is about to exit, if it has not.</summary>
    private async Task<string> DescribeEndAsync()
    {
        await EndAsync(); // A process that closed its pipes but lingers is of no use either.
        if (!process.HasExited)
            return "The runner closed its pipe and cannot be ended.";
        return process.ExitCode > 128
            ? $"The runner was ended by signal {process.ExitCode - 128}."
            : $"The runner exited with code {process.ExitCode}.";
    }

    private void NoteSign() => Volatile.Write(ref lastSign, Stopwatch.GetTimestamp());

    private void KeepError(string? line, ILogger log)
    {
        if (string.IsNullOrWhiteSpace(line))
            return;
        log.LogInformation("Runner: {Line}", line);
        lock (lastErrors)
        {
            lastErrors.Enqueue(line);
            if (lastErrors.Count > KeptErrorLines)
                lastErrors.Dequeue();
        }
    }
}

/// <summary>A runner process crashed, was killed or broke the protocol; the message says how it ended.</summary>
internal sealed class RunnerFailedException(string message, Exception? cause = null) : Exception(message, cause);
