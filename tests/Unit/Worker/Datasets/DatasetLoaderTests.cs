using System.Security.Cryptography;
using Temper.Domain.Datasets;
using Temper.Worker;
using Temper.Worker.Datasets;

namespace Temper.Unit.Worker.Datasets;

public sealed class DatasetLoaderTests : IDisposable
{
    private readonly string home = Directory.CreateTempSubdirectory("temper-test-").FullName;

    [Fact]
    public void Drop_DropsAnySet()
    {
        var options = new WorkerOptions { Home = home };
        var loader = new DatasetLoader(options, _ => { });
        var content = Store(options);

        var first = loader.Load("shapes@1", default, content);
        Assert.Same(first, loader.Load("shapes@1", default, content));
        Assert.True(loader.Drop());
        Assert.NotSame(first, loader.Load("shapes@1", default, content));

        var digits = loader.Load("digits", default);
        Assert.Same(digits, loader.Load("digits", default));
        Assert.True(loader.Drop());
        Assert.False(loader.Drop());
        Assert.NotSame(digits, loader.Load("digits", default));
    }

    /// <summary>The lock stands for a slot that fetches the file again.</summary>
    [Fact]
    public void Load_ADamagedUploadedSet_DeletesItsFileOnlyWithItsLock()
    {
        var options = new WorkerOptions { Home = home };
        var loader = new DatasetLoader(options, _ => { });
        var content = Store(options);
        var path = UploadedFile.PathOf(options, content);
        File.AppendAllText(path, "more");
        using (FileLock.TryTake(UploadedFile.LockOf(path)))
        {
            using var stop = new CancellationTokenSource(TimeSpan.FromSeconds(1));
            Assert.Throws<OperationCanceledException>(() => loader.Load("shapes@1", stop.Token, content));
        }
        Assert.True(File.Exists(path));

        Assert.Throws<InvalidDataException>(() => loader.Load("shapes@1", default, content));
        Assert.False(File.Exists(path));
    }

    public void Dispose() => Directory.Delete(home, recursive: true);

    private static DatasetContent Store(WorkerOptions options)
    {
        var header = new DatasetHeader(1, 4, 4, ["a", "b"], 2, 0, 2);
        byte[] file = [.. DatasetFile.Begin(header), .. new byte[4 * sizeof(ushort)], .. new byte[4 * 16]];
        var content = header.Content(Convert.ToHexStringLower(SHA256.HashData(file)));
        var path = UploadedFile.PathOf(options, content);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        File.WriteAllBytes(path, file);
        return content;
    }
}
