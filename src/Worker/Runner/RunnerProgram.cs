using System.Collections.Concurrent;
using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Text.Json;
using Temper.Domain.Datasets;
using Temper.Domain.Jobs;
using Temper.Store;
using Temper.Worker.Datasets;
using Temper.Worker.Datasets.Digits;
using Temper.Worker.Training;

namespace Temper.Worker.Runner;

/// <summary>
/// The runner process: loads libtorch once, then trains one job after another as its supervisor tells it. It is a process
/// of its own because a crash, an exhausted GPU or a poisoned CUDA context must cost one attempt and not the worker.
/// </summary>
internal sealed class RunnerProgram
{
    private readonly TextReader commands;
    private readonly TextWriter messages;
    private readonly DatasetLoader datasets;
    private readonly BlockingCollection<Train> jobs = [];
    private volatile CancellationTokenSource? training;

    private RunnerProgram(TextReader commands, TextWriter messages, DatasetLoader datasets) =>
        (this.commands, this.messages, this.datasets) = (commands, messages, datasets);

    /// <param name="slot">Which of the worker's slots this serves; on a machine with several GPUs, which of them it takes.</param>
    /// <param name="threads">CPU threads for libtorch.</param>
    public static int Start(int slot, int threads, WorkerOptions options)
    {
        // The supervisor decides when a runner ends, also when a signal reaches the whole process group.
        using var interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, signal => signal.Cancel = true);
        using var terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, signal => signal.Cancel = true);

        // Whatever else prints must not mix with the protocol.
        var messages = new StreamWriter(Console.OpenStandardOutput()) { AutoFlush = true };
        Console.SetOut(Console.Error);
        var commands = new StreamReader(Console.OpenStandardInput());
        new RunnerProgram(commands, messages, new DatasetLoader(options)).Serve(slot, threads);
        return 0;
    }

    private void Serve(int slot, int threads)
    {
        new Thread(ReadCommands) { IsBackground = true, Name = "commands" }.Start();

        torch.set_num_threads(threads);
        TorchExtras.Prepare();
        var device = torch.cuda.is_available() ? new Device(DeviceType.CUDA, slot % torch.cuda.device_count()) : torch.CPU;
        WarmUp(device);
        Send(new Ready(device.ToString(), device.type == DeviceType.CUDA));

        var trusted = true;
        while (trusted && jobs.Take() is var job) Send(Run(job.Spec, job.Spec.Device == DeviceName.Cpu ? torch.CPU : device, out trusted));
    }

    /// <param name="trusted">False after an error that may have left libtorch or the device in a bad state: this process ends.</param>
    private RunnerMessage Run(JobSpec spec, Device device, out bool trusted)
    {
        trusted = true;
        var stop = training!;
        try
        {
            var loading = Stopwatch.StartNew();
            var dataset = datasets.Load(spec.Dataset, stop.Token);
            loading.Stop();
            return new Finished(TrainingLoop.Run(spec, dataset, device, message => Send(message is TrainingStarted started
                ? started with { DataSeconds = started.DataSeconds + loading.Elapsed.TotalSeconds }
                : message), stop.Token));
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
            trusted = false;
            return new Failed(e.Message, WorthRetrying: true);
        }
        finally
        {
            training = null;
        }
    }

    /// <summary>Runs beside the training thread, so that a stop arrives in the middle of an epoch.</summary>
    private void ReadCommands()
    {
        while (commands.ReadLine() is { } line)
            switch (Json.Read<RunnerCommand>(line))
            {
                case Train train:
                    training = new();
                    jobs.Add(train);
                    break;
                case Stop:
                    training?.Cancel();
                    break;
            }
        // The supervisor is gone: nobody would hear of this training. Not an orderly exit, which would run libtorch's
        // destructors under the feet of the training thread.
        Process.GetCurrentProcess().Kill();
    }

    private void Send(RunnerMessage message)
    {
        lock (messages) messages.WriteLine(JsonSerializer.Serialize(message, Json.Options));
    }

    /// <summary>
    /// A first training starts thread pools, compiles code, chooses kernels and, on a GPU, creates the context: pay for it
    /// before a job waits, with a whole job on blank images.
    /// </summary>
    private static void WarmUp(Device device)
    {
        var card = DatasetCatalog.Find(DigitsDataset.Name)!;
        var blank = new LabelledImages(new byte[300 * card.Channels * card.Height * card.Width], new byte[300]);
        var spec = new JobSpec { Dataset = card.Name, Epsilon = 0.1, Epochs = 1 };
        TrainingLoop.Run(spec, new Dataset(card, blank, blank, []), device, _ => { }, CancellationToken.None);
    }
}
