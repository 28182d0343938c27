using System.Formats.Tar;
using System.IO.Compression;
using Temper.Worker;
using Temper.Worker.Datasets;

namespace Temper.Unit.Worker.Datasets;

/// <summary>Tests with small archives in the authors' format.</summary>
public sealed class CifarDatasetTests : IDisposable
{
    private const int Pixels = 3 * 32 * 32;

    private readonly string home = Directory.CreateTempSubdirectory("temper-test-").FullName;

    public void Dispose() => Directory.Delete(home, recursive: true);

    [Fact]
    public void Load_Cifar10_ReadsFiveBatchesInOrderAndTheTestBatch()
    {
        Write(
            "cifar10",
            "cifar-10-binary.tar.gz",
            [
                .. Enumerable.Range(1, 5).Select(i => ($"cifar-10-batches-bin/data_batch_{i}.bin", Records(2, [(byte)i]))),
                ("cifar-10-batches-bin/test_batch.bin", Records(3, [9])),
                ("readme.html", [1]),
            ]
        );

        var dataset = Load("cifar10");

        Assert.Equal([1, 1, 2, 2, 3, 3, 4, 4, 5, 5], dataset.Train.Labels);
        Assert.Equal([9, 9, 9], dataset.Test.Labels);
        Assert.Equal(10 * Pixels, dataset.Train.Pixels.Length);
        Assert.Equal([0, 1, 2], dataset.Train.Pixels[..3]);
        Assert.Equal([1, 2, 3], dataset.Train.Pixels[Pixels..(Pixels + 3)]); // pixels of the second record
        Assert.Contains("not the published cifar10 archive", Assert.Single(dataset.Notes));
    }

    [Fact]
    public void Load_Cifar100_TakesTheFineLabel()
    {
        Write("cifar100", "cifar-100-binary.tar.gz", [("train.bin", Records(4, [7, 99])), ("test.bin", Records(2, [3, 50]))]);

        var dataset = Load("cifar100");

        Assert.Equal([99, 99, 99, 99], dataset.Train.Labels);
        Assert.Equal([50, 50], dataset.Test.Labels);
        Assert.Equal([0, 1, 2], dataset.Train.Pixels[..3]);
    }

    [Fact]
    public void Load_AnArchiveThatIsNotOne_SaysWhatIsWrong()
    {
        Assert.Contains("labels above 9", Broken(("test_batch.bin", Records(2, [10]))));
        Assert.Contains("no number of records of 3073", Broken(("test_batch.bin", Records(2, [1])[1..])));
        Assert.Contains("has no test_batch.bin", Broken(("other.bin", [1])));
        Directory.CreateDirectory(Path.Combine(home, "data", "cifar10"));
        File.WriteAllText(Path.Combine(home, "data", "cifar10", "cifar-10-binary.tar.gz"), "no archive");
        Assert.Contains("not a gzip-packed tar", Assert.Throws<InvalidDataException>(() => Load("cifar10")).Message);
    }

    [Fact]
    public void Load_ThePythonVersion_GivesTheSameSet()
    {
        Write("cifar100", "cifar-100-binary.tar.gz", [("train.bin", Records(4, [7, 99])), ("test.bin", Records(2, [3, 50]))]);
        var binary = Load("cifar100");
        File.Delete(Path.Combine(home, "data", "cifar100", "cifar-100-binary.tar.gz"));
        Write(
            "cifar100",
            "cifar-100-python.tar.gz",
            [("cifar-100-python/train", PickledRecords(4, 7, 99)), ("cifar-100-python/test", PickledRecords(2, 3, 50)), ("meta", [1])]
        );

        var python = Load("cifar100");

        Assert.Equal(binary.Sha256, python.Sha256);
        Assert.Contains("eb9058c3a382ffc7106e4002c42a8d85", Assert.Single(python.Notes));
    }

    /// <summary>A pickle as Python 2 and its NumPy wrote it in the authors' files.</summary>
    private static byte[] PickledRecords(int count, byte coarse, byte fine)
    {
        var pixels = Enumerable.Range(0, count).SelectMany(i => Enumerable.Range(i, Pixels).Select(pixel => (byte)pixel)).ToArray();
        return
        [
            0x80,
            2,
            .. "}q\u0001("u8,
            .. Text("fine_labels"),
            .. Labels(fine),
            .. Text("coarse_labels"),
            .. Labels(coarse),
            .. Text("data"),
            .. "cnumpy.core.multiarray\n_reconstruct\nq\u0004cnumpy\nndarray\nq\u0005K\0"u8,
            0x85,
            .. "U\u0001b"u8,
            0x87,
            .. "R(K\u0001M"u8,
            (byte)count,
            0,
            .. "M\0\u000c"u8,
            0x86,
            .. "cnumpy\ndtype\nU\u0002u1K\0K\u0001"u8,
            0x87,
            .. "R(K\u0003U\u0001|NNNJ"u8,
            0xFF,
            0xFF,
            0xFF,
            0xFF,
            .. "J"u8,
            0xFF,
            0xFF,
            0xFF,
            0xFF,
            .. "K\0tb"u8,
            0x89,
            .. "T"u8,
            .. BitConverter.GetBytes(pixels.Length),
            .. pixels,
            .. "tbu."u8,
        ];

        byte[] Labels(byte label) =>
            [.. "]("u8, .. Enumerable.Repeat(new[] { (byte)'K', label }, count).SelectMany(pair => pair), (byte)'e'];
        static byte[] Text(string text) => [(byte)'U', (byte)text.Length, .. System.Text.Encoding.ASCII.GetBytes(text)];
    }

    [Fact]
    public void Load_AnArchiveThatIsDamaged_SaysSo()
    {
        Write("cifar100", "cifar-100-binary.tar.gz", [("train.bin", Records(4, [7, 99])), ("test.bin", Records(2, [3, 50]))]);
        var path = Path.Combine(home, "data", "cifar100", "cifar-100-binary.tar.gz");
        var whole = File.ReadAllBytes(path);
        foreach (
            var damaged in new[] { whole[..^8], [.. whole, 0], [.. whole[..^8], 1, 2, 3, 4, .. whole[^4..]], whole[..(whole.Length / 2)] }
        )
        {
            File.WriteAllBytes(path, damaged);
            var message = Assert.Throws<InvalidDataException>(() => Load("cifar100")).Message;
            Assert.True(message.StartsWith(path, StringComparison.Ordinal) && message.Contains("it is damaged"), message);
        }
    }

    private string Broken((string, byte[]) test)
    {
        Write("cifar10", "cifar-10-binary.tar.gz", [.. Enumerable.Range(1, 5).Select(i => ($"data_batch_{i}.bin", Records(1, [0]))), test]);
        return Assert.Throws<InvalidDataException>(() => Load("cifar10")).Message;
    }

    private Dataset Load(string name) =>
        new DatasetLoader(new WorkerOptions { Home = home, DataFolder = Path.Combine(home, "data") }, _ => { }).Load(
            name,
            CancellationToken.None
        );

    /// <summary>Record i has the pixels i, i + 1, i + 2 …</summary>
    private static byte[] Records(int count, byte[] labels) =>
        [.. Enumerable.Range(0, count).SelectMany(i => labels.Concat(Enumerable.Range(i, Pixels).Select(pixel => (byte)pixel)))];

    private void Write(string dataset, string archive, (string Name, byte[] Content)[] files)
    {
        var folder = Directory.CreateDirectory(Path.Combine(home, "data", dataset)).FullName;
        using var file = File.Create(Path.Combine(folder, archive));
        using var gzip = new GZipStream(file, CompressionLevel.Fastest);
        using var tar = new TarWriter(gzip, TarEntryFormat.Ustar);
        foreach (var (name, content) in files)
            tar.WriteEntry(new UstarTarEntry(TarEntryType.RegularFile, name) { DataStream = new MemoryStream(content) });
    }
}
