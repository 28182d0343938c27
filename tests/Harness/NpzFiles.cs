using System.Buffers.Binary;
using System.IO.Compression;
using System.Text;

namespace Temper.Harness;

/// <summary>
/// Makes npz files of images that a model learns within an epoch: each class has a pattern of its own, and noise on it.
/// </summary>
public static class NpzFiles
{
    /// <param name="seed">Another seed gives other noise.</param>
    /// <param name="channels">1 gives N×H×W, more give N×H×W×C.</param>
    public static (string Name, byte[] Npy)[] Part(string prefix, int count, int height, int width, int channels, int classes, int seed = 0)
    {
        var random = new Random(seed);
        var pixels = new byte[count * height * width * channels];
        for (var i = 0; i < pixels.Length; i++)
        {
            var image = i / (height * width * channels);
            var place = i % (height * width * channels);
            int row = place / channels / width,
                column = place / channels % width,
                label = image % classes;
            // Squares of a quarter of the image, bright where a bit of the label's hash is set.
            var square = row * 4 / height * 4 + column * 4 / width + 16 * (place % channels);
            var isBright = (unchecked((uint)(label * 64 + square + 1) * 2654435761u) >> 30 & 1) == 1;
            pixels[i] = (byte)((isBright ? 160 : 60) + random.Next(-40, 40));
        }
        var shape = channels == 1 ? $"({count}, {height}, {width})" : $"({count}, {height}, {width}, {channels})";
        return
        [
            ($"{prefix}images", Npy("|u1", shape, pixels)),
            ($"{prefix}labels", Labels([.. Enumerable.Range(0, count).Select(i => (long)(i % classes))])),
        ];
    }

    public static byte[] Labels(long[] labels)
    {
        var data = new byte[labels.Length * sizeof(long)];
        for (var i = 0; i < labels.Length; i++)
            BinaryPrimitives.WriteInt64LittleEndian(data.AsSpan(i * sizeof(long)), labels[i]);
        return Npy("<i8", $"({labels.Length},)", data);
    }

    public static byte[] Texts(params string[] texts)
    {
        var longest = texts.Max(text => text.Length);
        var data = texts.SelectMany(text => Encoding.UTF32.GetBytes(text.PadRight(longest, '\0'))).ToArray();
        return Npy($"<U{longest}", $"({texts.Length},)", data);
    }

    /// <param name="shape">As Python shows it, such as `(3,)`.</param>
    public static byte[] Npy(string descr, string shape, byte[] data, bool isFortran = false)
    {
        var text = $"{{'descr': '{descr}', 'fortran_order': {isFortran}, 'shape': {shape}, }}";
        text = text.PadRight((10 + text.Length + 1 + 63) / 64 * 64 - 11) + "\n";
        var length = new byte[2];
        BinaryPrimitives.WriteUInt16LittleEndian(length, (ushort)text.Length);
        return [0x93, .. "NUMPY"u8, 1, 0, .. length, .. Encoding.Latin1.GetBytes(text), .. data];
    }

    /// <summary>An npz with an array of so many zeros, which is packed piece by piece.</summary>
    public static byte[] Zeros(string name, long count)
    {
        using var to = new MemoryStream();
        using (var zip = new ZipArchive(to, ZipArchiveMode.Create, leaveOpen: true))
        {
            using var member = zip.CreateEntry($"{name}.npy", CompressionLevel.Optimal).Open();
            member.Write(Npy("|u1", $"({count / 65536}, 256, 256)", []));
            var piece = new byte[1 << 20];
            for (var left = count; left > 0; left -= piece.Length)
                member.Write(piece, 0, (int)Math.Min(left, piece.Length));
        }
        return to.ToArray();
    }

    public static byte[] Pack(params (string Name, byte[] Npy)[] arrays) =>
        Zip([.. arrays.Select(array => ($"{array.Name}.npy", array.Npy))]);

    public static byte[] Zip(params (string Name, byte[] Content)[] files)
    {
        using var to = new MemoryStream();
        using (var zip = new ZipArchive(to, ZipArchiveMode.Create, leaveOpen: true))
            foreach (var (name, content) in files)
            {
                using var member = zip.CreateEntry(name, CompressionLevel.Optimal).Open();
                member.Write(content);
            }
        return to.ToArray();
    }
}
