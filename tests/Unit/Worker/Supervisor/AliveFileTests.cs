using Temper.Harness;
using Temper.Worker;
using Temper.Worker.Supervisor;

namespace Temper.Unit.Worker.Supervisor;

public sealed class AliveFileTests : IDisposable
{
    private readonly string folder = Directory.CreateTempSubdirectory("temper-alive-").FullName;

    private string File => Path.Combine(folder, "alive");

    [Fact]
    public async Task AliveFile_OfARunningWorker_IsFreshUntilNobodyTouchesIt()
    {
        Assert.False(AliveFile.IsFresh(null));
        Assert.False(AliveFile.IsFresh(File));

        using var alive = new AliveFile(new WorkerOptions { Home = folder, AliveFile = File });
        await alive.StartAsync(default);
        await Eventually.TrueAsync(() => Task.FromResult(AliveFile.IsFresh(File)));
        await alive.StopAsync(default);

        System.IO.File.SetLastWriteTimeUtc(File, DateTime.UtcNow.AddSeconds(-31));
        Assert.False(AliveFile.IsFresh(File));
    }

    public void Dispose() => Directory.Delete(folder, recursive: true);
}
