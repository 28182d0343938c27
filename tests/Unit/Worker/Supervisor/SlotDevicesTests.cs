using Microsoft.Extensions.Logging.Abstractions;
using Temper.Domain.Jobs;
using Temper.Harness;
using Temper.Worker;
using Temper.Worker.Slots;
using Temper.Worker.Supervisor;

namespace Temper.Unit.Worker.Supervisor;

public sealed class SlotDevicesTests : IDisposable
{
    private static readonly string[] Two = [FakeNvidiaSmi.Card(0, "GPU-a"), FakeNvidiaSmi.Card(1, "GPU-b")];

    private readonly string folder = Directory.CreateTempSubdirectory("temper-test-").FullName;
    private readonly FakeNvidiaSmi script;

    public SlotDevicesTests() => script = new(folder, Two);

    public void Dispose() => Directory.Delete(folder, recursive: true);

    [Theory]
    [InlineData(DeviceName.Auto, 2, "GPU-a GPU-b GPU-a GPU-b")]
    [InlineData(DeviceName.Cuda, 1, "GPU-a GPU-b")]
    [InlineData(DeviceName.Cpu, 2, "  ")]
    public async Task Place_OfEachSlot_ShowsItsRunnerOneCard(DeviceName device, int slotsPerDevice, string visible)
    {
        var options = Options(device, slotsPerDevice);

        var devices = await FindAsync(options);

        Assert.Equal(
            visible,
            string.Join(' ', Enumerable.Range(0, devices.Slots).Select(slot => devices.Place(slot, options, false).VisibleDevices))
        );
    }

    [Theory]
    [InlineData("exit 1")]
    [InlineData("echo garbage")]
    [InlineData("true")]
    public async Task Find_WhenNoCardIsListed_HasTheSlotsOfAWorkerWithoutCards(string commands)
    {
        script.Run(commands);
        var options = Options(DeviceName.Auto);

        var devices = await FindAsync(options);

        Assert.Equal((3, null), (devices.Slots, devices.Place(1, options, false).VisibleDevices));
        Assert.Empty(devices.Describe(new SlotPool([])));
        await devices.WatchAsync(TimeSpan.Zero, default); // there is nothing to watch
    }

    [Fact]
    public async Task Find_ForCudaWhenNoCardIsListed_WaitsForOne()
    {
        script.Run("exit 1");
        using var stop = new CancellationTokenSource(TimeSpan.FromSeconds(1));

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => FindAsync(Options(DeviceName.Cuda), stop.Token));
    }

    [Fact]
    public async Task Watch_WhenACardDisappears_SetsItAsideUntilItIsBack()
    {
        var devices = await FindAsync(Options(DeviceName.Auto));
        using var stop = new CancellationTokenSource();
        var watching = devices.WatchAsync(TimeSpan.FromMilliseconds(20), stop.Token);

        script.Print(FakeNvidiaSmi.Card(1, "GPU-b"));
        await Eventually.TrueAsync(() => Task.FromResult(devices.All[0].SetAsideReason is not null));
        Assert.Equal((null, null), (devices.All[1].SetAsideReason, devices.SuspendedReason));
        var card = devices.Describe(new SlotPool([]))[0];
        Assert.Equal(("GPU-a", null, "nvidia-smi does not list the card any more."), (card.Uuid, card.MemoryUsedMiB, card.SetAsideReason));
        script.Print();
        await Eventually.TrueAsync(() => Task.FromResult(devices.SuspendedReason is not null));
        script.Print("0, GPU-a, A, 81559, 4711, 5", Two[1]);
        await Eventually.TrueAsync(() => Task.FromResult(devices.All[0].Card!.MemoryUsedMiB == 4711));
        Assert.Null(devices.All[0].SetAsideReason);

        await stop.CancelAsync();
        await watching;
    }

    [Theory]
    [InlineData("exit 1")]
    [InlineData("echo garbage")]
    public async Task Watch_WhenNvidiaSmiFails_SetsNothingAsideAndForgetsTheFigures(string commands)
    {
        var devices = await FindAsync(Options(DeviceName.Auto));
        Assert.Equal((1000, 0), (devices.All[0].Card!.MemoryUsedMiB, devices.All[0].Card!.UtilizationPercent));
        using var stop = new CancellationTokenSource();
        var watching = devices.WatchAsync(TimeSpan.FromMilliseconds(20), stop.Token);

        script.Run(commands);
        await Eventually.TrueAsync(() => Task.FromResult(devices.All[0].Card!.MemoryUsedMiB is null));

        Assert.Null(devices.All[0].SetAsideReason);
        Assert.Equal(81559, devices.All[0].Card!.MemoryTotalMiB);
        await stop.CancelAsync();
        await watching;
    }

    [Fact]
    public async Task Breaker_OfOneCard_LeavesTheOtherAndSuspendsTheWorkerWhenBothAreSetAside()
    {
        var devices = await FindAsync(Options(DeviceName.Auto));

        devices.All[0].Breaker.RunnerDidNotStart("no kernel image");
        Assert.Equal(
            ("No runner starts: no kernel image", null, null),
            (devices.All[0].SetAsideReason, devices.All[1].SetAsideReason, devices.SuspendedReason)
        );
        devices.All[1].Breaker.RunnerDidNotStart("out of memory");

        Assert.Equal(
            "Card 0 (GPU-a): No runner starts: no kernel image Card 1 (GPU-b): No runner starts: out of memory",
            devices.SuspendedReason
        );
    }

    private WorkerOptions Options(DeviceName device, int slotsPerDevice = 1) =>
        new()
        {
            Home = folder,
            Device = device,
            Slots = 3,
            SlotsPerDevice = slotsPerDevice,
            NvidiaSmi = script.Path,
        };

    private static Task<SlotDevices> FindAsync(WorkerOptions options, CancellationToken stopping = default) =>
        SlotDevices.FindAsync(options, NullLogger.Instance, stopping);
}
