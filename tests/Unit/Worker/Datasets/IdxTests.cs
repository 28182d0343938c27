using Temper.Harness;
using Temper.Worker.Datasets;

namespace Temper.Unit.Worker.Datasets;

public sealed class IdxTests : IDisposable
{
    private readonly string path = Path.GetTempFileName();

    public void Dispose() => File.Delete(path);

    [Fact]
    public void Read_AValidFile_GivesItsDataAndTheHashOfItsContent()
    {
        File.WriteAllBytes(path, IdxFiles.Pack([2, 28, 28], new byte[2 * 784]));

        Assert.Equal(new byte[2 * 784], Idx.Read(path, [28, 28], out var md5, out var isPacked));
        Assert.True(isPacked);
        Assert.Equal(IdxFiles.Md5([0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 28, 0, 0, 0, 28, .. new byte[2 * 784]]), md5);
    }

    [Fact]
    public void Read_AValidFileThatIsNotPacked_GivesItsData()
    {
        byte[] file = [0, 0, 8, 1, 0, 0, 0, 3, 7, 8, 9];
        File.WriteAllBytes(path, file);

        Assert.Equal([7, 8, 9], Idx.Read(path, [], out var md5, out var isPacked));
        Assert.Equal((IdxFiles.Md5(file), false), (md5, isPacked));
    }

    public static TheoryData<string, byte[]> DamagedFiles
    {
        get
        {
            var whole = IdxFiles.Images(20);
            byte[] wrongCrc = [.. whole],
                wrongMiddle = [.. whole];
            wrongCrc[^8] ^= 1;
            wrongMiddle[whole.Length / 2] ^= 0x55;
            return new()
            {
                { "its last 8 bytes cut off", whole[..^8] },
                { "its last byte cut off", whole[..^1] },
                { "half of it", whole[..(whole.Length / 2)] },
                { "nothing but a header", whole[..10] },
                { "something appended", [.. whole, 1, 2, 3] },
                { "zeros appended", [.. whole, .. new byte[512]] },
                { "another checksum", wrongCrc },
                { "another byte in the middle", wrongMiddle },
                { "unpacked and cut short", [0, 0, 8, 3, 0, 0, 0, 1, 0, 0, 0, 28, 0, 0, 0, 28, 1, 2, 3] },
            };
        }
    }

    [Theory]
    [MemberData(nameof(DamagedFiles))]
    public void Read_ADamagedFile_SaysWhichAndThatItIsDamaged(string what, byte[] file)
    {
        File.WriteAllBytes(path, file);

        var error = Assert.Throws<InvalidDataException>(() => Idx.Read(path, [28, 28], out _, out _));

        Assert.True(
            error.Message.StartsWith(path, StringComparison.Ordinal) && error.Message.Contains("it is damaged"),
            $"{what}: {error.Message}"
        );
    }

    public static TheoryData<string, byte[]> WrongFiles =>
        new()
        {
            { "not gzip", [1, 2, 3, 4, 5, 6, 7, 8] },
            { "empty", [] },
            { "a header cut short", IdxFiles.Gzip([0, 0, 8]) },
            { "another type", IdxFiles.Pack([2, 28, 28], new byte[2 * 784], type: 0x0D) },
            { "labels for images", IdxFiles.Labels(10) },
            { "another image size", IdxFiles.Pack([2, 32, 32], new byte[2 * 1024]) },
            { "less data than announced", IdxFiles.Pack([3, 28, 28], new byte[2 * 784]) },
            { "more data than announced", IdxFiles.Pack([1, 28, 28], new byte[2 * 784]) },
            { "no images", IdxFiles.Pack([0, 28, 28], []) },
            { "a negative count", IdxFiles.Pack([-5, 28, 28], []) },
            { "a count whose size overflows", IdxFiles.Pack([int.MaxValue, 28, 28], []) },
            { "a few bytes that announce 157 MB and more", IdxFiles.Pack([200_001, 28, 28], []) },
        };

    [Theory]
    [MemberData(nameof(WrongFiles))]
    public void Read_AWrongFile_IsRefusedByName(string what, byte[] file)
    {
        File.WriteAllBytes(path, file);
        var before = GC.GetAllocatedBytesForCurrentThread();

        var error = Assert.Throws<InvalidDataException>(() => Idx.Read(path, [28, 28], out _, out _));

        Assert.Contains(path, error.Message);
        Assert.True(GC.GetAllocatedBytesForCurrentThread() - before < 1 << 20, $"{what}: memory was taken on the word of a header.");
    }
}
