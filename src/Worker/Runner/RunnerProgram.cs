using System.Collections.Concurrent;
using System.Diagnostics;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;
using Temper.Domain.Datasets;
using Temper.Domain.Jobs;
using Temper.Worker.Datasets;
using Temper.Worker.Messages;
using Temper.Worker.Training;

namespace Temper.Worker.Runner;

/// <summary>
/// The runner process: it loads libtorch once, then trains the jobs that its supervisor sends, one after another. It is a
/// separate process so that a crash, an exhausted GPU or a broken CUDA context ends one attempt and not the worker.
/// </summary>
internal sealed class RunnerProgram
{
    private static readonly TimeSpan KeepsDataset = TimeSpan.FromSeconds(30);

    private readonly MessageReader<RunnerCommand> commands;
    private readonly MessageWriter<RunnerMessage> messages;
    private readonly Lock sending = new();
    private readonly WorkerOptions options;
    private readonly DatasetLoader datasets;
    private readonly BlockingCollection<Train> jobs = [];
    private volatile CancellationTokenSource? training;

    private RunnerProgram(Stream commands, Stream messages, WorkerOptions options) =>
        (this.commands, this.messages, this.options, datasets) = (
            new(commands),
            new(messages),
            options,
            new(options, what => Send(new Loading(what)))
        );

    /// <param name="slot">
    /// The slot that this runner serves, from 0. It selects the card when the runner sees several: a worker that found cards shows
    /// each runner one.
    /// </param>
    /// <param name="threads">CPU threads for libtorch.</param>
    public static int Start(int slot, int threads, WorkerOptions options)
    {
        // Ignore signals to the whole process group: the supervisor decides when a runner ends.
        using var interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, signal => signal.Cancel = true);
        using var terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, signal => signal.Cancel = true);

        var messages = TakeStandardOutput();
        new RunnerProgram(Console.OpenStandardInput(), messages, options).Serve(slot, threads);
        return 0;
    }

    /// <summary>
    /// Keeps standard output for the protocol. All other output, including that of native libraries, goes to standard error
    /// from here on.
    /// </summary>
    private static FileStream TakeStandardOutput()
    {
        var protocol = dup(1);
        if (protocol < 0 || dup2(2, 1) < 0)
            throw new InvalidOperationException($"The runner's pipe cannot be set apart: error {Marshal.GetLastPInvokeError()}.");
        return new(new SafeFileHandle(protocol, ownsHandle: true), FileAccess.Write, bufferSize: 0);
    }

    [DllImport("libc", SetLastError = true)]
    private static extern int dup(int descriptor);

    [DllImport("libc", SetLastError = true)]
    private static extern int dup2(int from, int to);

    private void Serve(int slot, int threads)
    {
        _ = ReadCommandsAsync();

        Libtorch.UseThreads(threads);
        Libtorch.KeepFreedMemory();
        if (torch.cuda.is_available())
            Libtorch.UseDeterministicAlgorithms();
        var device = torch.cuda.is_available() ? new Device(DeviceType.CUDA, slot % torch.cuda.device_count()) : torch.CPU;
        WarmUp(device);
        Send(new Ready(device.ToString(), device.type == DeviceType.CUDA, Libtorch.Description, KernelLibrary.MissingReason));

        while (TakeJob() is var job)
        {
            Send(Run(job, job.Spec.Device == DeviceName.Cpu ? torch.CPU : device));
            // An idle runner does not need the memory of its last job.
            if (jobs.Count == 0)
                Libtorch.ReleaseFreedMemory();
        }
    }

    /// <summary>
    /// Waits for the next job. It often follows at once and uses the same data set. A runner that stays idle drops the set.
    /// </summary>
    private Train TakeJob()
    {
        if (jobs.TryTake(out var next, KeepsDataset))
            return next;
        if (datasets.Drop())
            GC.Collect(GC.MaxGeneration, GCCollectionMode.Aggressive, blocking: true, compacting: true);
        return jobs.Take();
    }

    private RunnerMessage Run(Train job, Device device)
    {
        var spec = job.Spec;
        var stop = training!;
        try
        {
            Send(new Alive(Pace.UnmeasuredSeconds));
            var loading = Stopwatch.StartNew();
            var dataset = Load(spec, stop.Token);
            loading.Stop();
            return TrainingLoop.Run(
                spec,
                dataset,
                device,
                job.Checkpoint,
                options.CheckpointInterval,
                message =>
                    Send(
                        message is TrainingStarted started
                            ? started with
                            {
                                DataSeconds = started.DataSeconds + loading.Elapsed.TotalSeconds,
                            }
                            : message
                    ),
                stop.Token
            );
        }
        catch (OperationCanceledException) when (stop.IsCancellationRequested)
        {
            return new Stopped();
        }
        catch (TrainingDivergedException e)
        {
            return new Failed(e.Message, WorthRetrying: false);
        }
        catch (Exception e) when (e is DatasetUnavailableException or InvalidDataException)
        {
            return new Failed(e.Message, WorthRetrying: true);
        }
        catch (Exception e)
        {
            Console.Error.WriteLine(e);
            return new Failed(e.Message, WorthRetrying: true, Spoiled: true);
        }
        finally
        {
            training = null;
        }
    }

    private Dataset Load(JobSpec spec, CancellationToken stop)
    {
        try
        {
            return datasets.Load(spec.Dataset, stop, spec.Data);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new DatasetUnavailableException($"The files of {spec.Dataset} cannot be read: {e.Message}");
        }
    }

    /// <summary>Runs concurrently with the training thread, so that a stop command takes effect within an epoch.</summary>
    private async Task ReadCommandsAsync()
    {
        try
        {
            while (await commands.ReadAsync() is { } command)
                switch (command)
                {
                    case Train train:
                        training = new();
                        jobs.Add(train);
                        break;
                    case Stop when training is { } running:
                        await running.CancelAsync();
                        break;
                }
        }
        finally
        {
            // The supervisor is gone, so nobody would receive this training's result. Kill the process: an orderly exit would run
            // libtorch's destructors while the training thread uses libtorch.
            Process.GetCurrentProcess().Kill();
        }
    }

    private void Send(RunnerMessage message)
    {
        lock (sending)
            messages.Write(message);
        // Large arrays are in the oldest generation, which may grow by more than 100 MB before the collector runs by itself.
        if (message is Checkpointed or EpochDone { Checkpoint: not null })
            GC.Collect();
    }

    /// <summary>
    /// Runs a whole job on blank images. A first training starts thread pools, compiles code, chooses kernels and, on a GPU,
    /// creates the context; this does it before a job waits.
    /// </summary>
    private static void WarmUp(Device device)
    {
        var card = new DrawnDigits().Card();
        var blank = new LabelledImages(new byte[300 * card.Channels * card.Height * card.Width], new ushort[300]);
        var spec = new JobSpec
        {
            Dataset = card.Name,
            Epsilon = 0.1,
            Epochs = 1,
        };
        TrainingLoop.Run(spec, new Dataset(card, blank, blank, []), device, null, TimeSpan.MaxValue, _ => { }, CancellationToken.None);
    }
}
