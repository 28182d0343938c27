using System.Diagnostics;
using Temper.Worker.Messages;

namespace Temper.Worker.Supervisor;

/// <summary>The supervisor's side of a runner: its process, two pipes, and its last lines on standard error.</summary>
internal sealed class RunnerProcess : IAsyncDisposable
{
    /// <summary>How the names of variables with secrets begin, after the prefix that .NET allows before each of its settings.</summary>
    private static readonly string[] SecretSections =
    [
        "ConnectionStrings",
        "Kestrel",
        "Notifications",
        "OTEL_",
        "PGPASS",
        "TEMPER_KEY",
        // .NET takes these for connection strings too.
        "CUSTOMCONNSTR_",
        "MYSQLCONNSTR_",
        "SQLAZURECONNSTR_",
        "SQLCONNSTR_",
    ];

    private static readonly string[] SettingPrefixes = ["DOTNET_", "ASPNETCORE_", ""];

    private const int KeptErrorLines = 20;

    /// <summary>
    /// Longest wait for a killed process. A process that a driver blocks in the kernel does not exit: the worker leaves it
    /// behind, and its slot goes on.
    /// </summary>
    private static readonly TimeSpan EndLimit = TimeSpan.FromSeconds(10);

    private readonly Process process;
    private readonly MessageWriter<RunnerCommand> commands;
    private readonly MessageReader<RunnerMessage> messages;
    private readonly Queue<string> lastErrors = new();
    private volatile ExecutionContext? work;
    private long lastSign = Stopwatch.GetTimestamp();

    private RunnerProcess(Process process)
    {
        this.process = process;
        commands = new(process.StandardInput.BaseStream, NoteSign);
        messages = new(process.StandardOutput.BaseStream, NoteSign);
    }

    /// <summary>The runner's first message.</summary>
    public Ready Ready { get; private set; } = null!;

    public bool HasExited => process.HasExited;

    /// <summary>Time since the runner last sent or took a piece of a message. Output on standard error does not count.</summary>
    public TimeSpan Silence => Stopwatch.GetElapsedTime(Volatile.Read(ref lastSign));

    /// <summary>The last lines on standard error about the job; null without any. Complete once the process has ended.</summary>
    public string? ErrorOutput
    {
        get
        {
            lock (lastErrors)
                return lastErrors.Count == 0 ? null : string.Join('\n', lastErrors);
        }
    }

    /// <summary>Starts a runner and waits until libtorch is loaded and warm.</summary>
    /// <exception cref="RunnerFailedException">
    /// The runner ended, sent another message, was not ready in time, or does not see the card that it must see.
    /// </exception>
    public static async Task<RunnerProcess> StartAsync(
        RunnerPlace place,
        WorkerOptions options,
        ILogger log,
        CancellationToken cancellationToken
    )
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
                // Without this setting cuBLAS may sum in another order each time.
                ["CUBLAS_WORKSPACE_CONFIG"] = ":4096:8",
            },
        };
        // The worker may run as `dotnet Temper.Worker.dll` or as Temper.Worker itself.
        if (Path.GetFileNameWithoutExtension(Environment.ProcessPath) == "dotnet")
            start.ArgumentList.Add(typeof(RunnerProcess).Assembly.Location);
        foreach (var argument in new[] { "runner", $"--slot={place.Slot}", $"--threads={place.Threads}" })
            start.ArgumentList.Add(argument);
        if (place.VisibleDevices is not null)
            start.Environment["CUDA_VISIBLE_DEVICES"] = place.VisibleDevices;

        foreach (var secret in start.Environment.Keys.Where(IsSecret).ToArray())
            start.Environment.Remove(secret);

        var runner = new RunnerProcess(Process.Start(start)!);
        runner.process.ErrorDataReceived += (_, line) => runner.KeepError(line.Data, log);
        runner.process.BeginErrorReadLine();
        try
        {
            runner.Ready =
                await runner.ReadAsync().WaitAsync(options.StartLimit, cancellationToken) as Ready
                ?? throw new RunnerFailedException("The runner did not say that it is ready.");
            if (place.NeedsCuda && !runner.Ready.HasCuda)
                throw new RunnerFailedException("The runner sees no CUDA device.");
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

    /// <summary>
    /// Whether a variable may have a password of the database, the secret that signs notifications, a key, or one for the receiver of
    /// traces. Runners get no such variable.
    /// </summary>
    public static bool IsSecret(string variable) =>
        SettingPrefixes.Any(prefix =>
            SecretSections.Any(section => variable.StartsWith(prefix + section, StringComparison.OrdinalIgnoreCase))
        );

    /// <exception cref="RunnerFailedException">The runner is gone.</exception>
    public async Task SendAsync(RunnerCommand command)
    {
        // The runner's output from now on is about this command's job.
        if (command is Train)
        {
            lock (lastErrors)
                lastErrors.Clear();
            work = ExecutionContext.Capture();
        }
        NoteSign();
        try
        {
            await Task.Run(() => commands.Write(command)); // a hung runner reads nothing, so the write may block
        }
        catch (IOException e)
        {
            throw new RunnerFailedException(await DescribeEndAsync(), e);
        }
    }

    /// <summary>The runner's output from now on is about no job.</summary>
    public void ForgetJob() => work = null;

    /// <summary>Reads the next message.</summary>
    /// <exception cref="RunnerFailedException">The runner ended, or wrote something that is not a message.</exception>
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

    /// <summary>Kills the process, and reads the rest of its error output.</summary>
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

    /// <summary>Ends a runner whose output ended, and describes how it exited.</summary>
    private async Task<string> DescribeEndAsync()
    {
        await EndAsync(); // Also a process that closed its pipes but has not exited.
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
        // The context of the command that the runner carries out has the scopes and the span of its job.
        if (work is { } context)
            ExecutionContext.Run(context, _ => Log(), null);
        else
            Log();
        lock (lastErrors)
        {
            lastErrors.Enqueue(line);
            if (lastErrors.Count > KeptErrorLines)
                lastErrors.Dequeue();
        }

        void Log() => log.LogInformation("Runner: {Line}", line);
    }
}

/// <summary>Where a runner works.</summary>
/// <param name="Slot">The slot that it serves, from 0.</param>
/// <param name="Threads">CPU threads for libtorch.</param>
/// <param name="VisibleDevices">Its CUDA_VISIBLE_DEVICES: a card's uuid, empty for none; null for the worker's own.</param>
/// <param name="NeedsCuda">Whether a runner that sees no CUDA device counts as one that does not start.</param>
internal sealed record RunnerPlace(int Slot, int Threads, string? VisibleDevices, bool NeedsCuda);

/// <summary>A runner process crashed, was killed or broke the protocol; the message says how it ended.</summary>
internal sealed class RunnerFailedException(string message, Exception? cause = null) : Exception(message, cause);
