using System.Buffers.Binary;
using System.IO.Compression;
using System.Security.Cryptography;

namespace Temper.Harness;

/// <summary>Makes files in MNIST's format.</summary>
public static class IdxFiles
{
    /// <summary>Writes a folder for TEMPER_DATA with a small data set of that name. Jobs on it take milliseconds.</summary>
    public static string WriteFolder(string folder, string dataset, int train, int test)
    {
        var files = Directory.CreateDirectory(Path.Combine(folder, dataset)).FullName;
        File.WriteAllBytes(Path.Combine(files, "train-images-idx3-ubyte.gz"), Images(train));
        File.WriteAllBytes(Path.Combine(files, "train-labels-idx1-ubyte.gz"), Labels(train));
        File.WriteAllBytes(Path.Combine(files, "t10k-images-idx3-ubyte.gz"), Images(test));
        File.WriteAllBytes(Path.Combine(files, "t10k-labels-idx1-ubyte.gz"), Labels(test));
        return folder;
    }

    public static byte[] Images(int count) => Pack([count, 28, 28], [.. Enumerable.Range(0, count * 784).Select(i => (byte)(i * 31))]);

    public static byte[] Labels(int count) => Pack([count], [.. Enumerable.Range(0, count).Select(i => (byte)(i % 10))]);

    public static byte[] Pack(int[] dimensions, byte[] data, byte type = 8)
    {
        var header = new byte[4 + 4 * dimensions.Length];
        (header[2], header[3]) = (type, (byte)dimensions.Length);
        for (var i = 0; i < dimensions.Length; i++)
            BinaryPrimitives.WriteInt32BigEndian(header.AsSpan(4 + 4 * i), dimensions[i]);
        return Gzip([.. header, .. data]);
    }

    public static byte[] Gzip(byte[] content)
    {
        using var packed = new MemoryStream();
        using (var gzip = new GZipStream(packed, CompressionLevel.Fastest))
            gzip.Write(content);
        return packed.ToArray();
    }

    public static byte[] Unpack(byte[] packed)
    {
        using var content = new MemoryStream();
        using var gzip = new GZipStream(new MemoryStream(packed), CompressionMode.Decompress);
        gzip.CopyTo(content);
        return content.ToArray();
    }

    public static string Md5(byte[] file) => Convert.ToHexStringLower(MD5.HashData(file));
}
