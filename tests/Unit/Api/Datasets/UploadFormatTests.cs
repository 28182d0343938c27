using Temper.Api.Arrays;
using Temper.Api.Datasets;
using Temper.Api.Http;
using Temper.Harness;

namespace Temper.Unit.Api.Datasets;

public sealed class UploadFormatTests : IDisposable
{
    private static readonly ZipBounds Bounds = new(Members: 10, MemberBytes: 1 << 20, TotalBytes: 1 << 20);

    private readonly FileStream disk = TemporaryFile.Create();

    [Fact]
    public void ReadDirectory_Cancelled_Ends()
    {
        var file = Store(NpzFiles.Pack(NpzFiles.Part("", 4, 8, 8, 1, 2)));

        Assert.Throws<OperationCanceledException>(() => UploadFormat.Read([file], 1 << 20, new SpecErrors(), new(true)));
        Assert.NotNull(UploadFormat.Read([file], 1 << 20, new SpecErrors(), default));
    }

    [Fact]
    public void Read_Cancelled_EndsInEachFormat()
    {
        var npz = Store(NpzFiles.Pack(NpzFiles.Part("", 4, 8, 8, 1, 2))).Open();
        var ofNpz = ZipDirectory.Read(npz, Bounds, default);
        Assert.Throws<OperationCanceledException>(() => NpzDataset.Read(npz, ofNpz, new(), new(true)));

        var images = Store(NpzFiles.Zip(("cat/1.jpg", JpegFile.Of()), ("dog/1.jpg", JpegFile.Of()))).Open();
        var ofImages = ZipDirectory.Read(images, Bounds, default);
        Assert.Throws<OperationCanceledException>(() => ImageFolders.Read(images, ofImages, new(), new(true)));

        IdxFile[] idx = [IdxFile.Of(Store(IdxFiles.Images(10))), IdxFile.Of(Store(IdxFiles.Labels(10)))];
        Assert.Throws<OperationCanceledException>(() => IdxImages.Read(idx, 1 << 20, Bounds, new(), new(true)));
    }

    public void Dispose() => disk.Dispose();

    private PostedFile Store(byte[] content)
    {
        var start = disk.Position;
        disk.Write(content);
        disk.Flush();
        return new("", disk.SafeFileHandle, start, content.Length);
    }
}
