using System.Buffers.Binary;
using System.IO.Compression;

namespace Temper.Harness;

/// <summary>Writes PNG files, also ones that no program would write.</summary>
public static class PngFile
{
    /// <summary>Shades of grey, red-green-blue, and the latter with opacity: the format's codes.</summary>
    public const int Grey = 0,
        Colour = 2,
        Transparent = 6;

    private static readonly uint[] CrcTable =
    [
        .. Enumerable
            .Range(0, 256)
            .Select(i => Enumerable.Range(0, 8).Aggregate((uint)i, (c, _) => (c & 1) != 0 ? 0xEDB88320 ^ (c >> 1) : c >> 1)),
    ];

    /// <param name="rows">The image's rows, each as bytes.</param>
    /// <param name="claimedSide">Height and width in the header when they are to be wrong.</param>
    public static byte[] Of(int kind, IReadOnlyList<byte[]> rows, int depth = 8, int? claimedSide = null)
    {
        var perPixel =
            (
                kind switch
                {
                    Grey => 1,
                    Colour => 3,
                    _ => 4,
                }
            )
            * depth
            / 8;
        var header = new byte[13];
        BinaryPrimitives.WriteInt32BigEndian(header, claimedSide ?? rows[0].Length / perPixel);
        BinaryPrimitives.WriteInt32BigEndian(header.AsSpan(4), claimedSide ?? rows.Count);
        (header[8], header[9]) = ((byte)depth, (byte)kind);
        var packed = new MemoryStream();
        using (var zlib = new ZLibStream(packed, CompressionLevel.Fastest, leaveOpen: true))
            foreach (var row in rows)
                zlib.Write([0, .. row]); // 0: no filter
        return [0x89, .. "PNG\r\n\x1a\n"u8, .. Chunk("IHDR"u8, header), .. Chunk("IDAT"u8, packed.ToArray()), .. Chunk("IEND"u8, [])];
    }

    private static byte[] Chunk(ReadOnlySpan<byte> name, byte[] content)
    {
        byte[] counted = [.. name, .. content];
        var (length, crc) = (new byte[4], new byte[4]);
        BinaryPrimitives.WriteInt32BigEndian(length, content.Length);
        BinaryPrimitives.WriteUInt32BigEndian(crc, ~counted.Aggregate(uint.MaxValue, (c, b) => CrcTable[(c ^ b) & 255] ^ (c >> 8)));
        return [.. length, .. counted, .. crc];
    }
}
