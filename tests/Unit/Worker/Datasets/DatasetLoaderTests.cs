using System.Security.Cryptography;
using Temper.Domain.Datasets;
using Temper.Worker;
using Temper.Worker.Datasets;

namespace Temper.Unit.Worker.Datasets;

public sealed class DatasetLoaderTests : IDisposable
{
    private readonly string home = Directory.CreateTempSubdirectory("temper-test-").FullName;

    [Fact]
    public void DropUploaded_DropsAnUploadedSetAndNoOther()
    {
        var options = new WorkerOptions { Home = home };
        var loader = new DatasetLoader(options, _ => { });
        var content = Store(options);

        var first = loader.Load("shapes@1", default, content);
        Assert.Same(first, loader.Load("shapes@1", default, content));
        Assert.True(loader.DropUploaded());
        Assert.NotSame(first, loader.Load("shapes@1", default, content));

        var digits = loader.Load("digits", default);
        Assert.False(loader.DropUploaded());
        Assert.Same(digits, loader.Load("digits", default));
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
