using Microsoft.Extensions.Logging.Abstractions;
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

        using var alive = new AliveFile(new WorkerOptions { Home = folder, AliveFile = File }, NullLogger<AliveFile>.Instance);
        await alive.StartAsync(default);
        await Eventually.TrueAsync(() => Task.FromResult(AliveFile.IsFresh(File)));
        await alive.StopAsync(default);

        System.IO.File.SetLastWriteTimeUtc(File, DateTime.UtcNow.AddSeconds(-31));
        Assert.False(AliveFile.IsFresh(File));
    }

    [Fact]
    public async Task AliveFile_ThatCannotBeWritten_IsWrittenOnceItCan()
    {
        var later = Path.Combine(folder, "later");
        var path = Path.Combine(later, "alive");
        using var alive = new AliveFile(new WorkerOptions { Home = folder, AliveFile = path }, NullLogger<AliveFile>.Instance)
        {
            Interval = TimeSpan.FromMilliseconds(10),
        };
        await alive.StartAsync(default);
        await Task.Delay(100); // several tries

        Directory.CreateDirectory(later);

        await Eventually.TrueAsync(() => Task.FromResult(AliveFile.IsFresh(path)));
        await alive.StopAsync(default);
    }

    public void Dispose() => Directory.Delete(folder, recursive: true);
}
