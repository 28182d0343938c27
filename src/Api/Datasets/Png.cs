using System.Buffers.Binary;
using System.IO.Compression;
using System.IO.Hashing;

namespace Temper.Api.Datasets;

/// <summary>Writes PNG files of 8 bits per channel, grey or RGB, without filters.</summary>
/// <remarks>https://www.w3.org/TR/png-3/</remarks>
internal static class Png
{
    private static readonly byte[] Signature = [0x89, .. "PNG\r\n\u001A\n"u8];

    /// <param name="pixels_HWC">Rows of pixels, with 1 or 3 values each.</param>
    public static byte[] Write(int channels, int height, int width, ReadOnlySpan<byte> pixels_HWC)
    {
        var header = new byte[13];
        BinaryPrimitives.WriteInt32BigEndian(header, width);
        BinaryPrimitives.WriteInt32BigEndian(header.AsSpan(4), height);
        (header[8], header[9]) = (8, (byte)(channels == 1 ? 0 : 2)); // bits, colour type

        using var packed = new MemoryStream();
        using (var zlib = new ZLibStream(packed, CompressionLevel.Optimal, leaveOpen: true))
            for (var row = 0; row < height; row++)
            {
                zlib.WriteByte(0); // no filter
                zlib.Write(pixels_HWC.Slice(row * width * channels, width * channels));
            }
        using var png = new MemoryStream();
        png.Write(Signature);
        WriteChunk(png, "IHDR"u8, header);
        WriteChunk(png, "IDAT"u8, packed.ToArray());
        WriteChunk(png, "IEND"u8, []);
        return png.ToArray();
    }

    private static void WriteChunk(MemoryStream png, ReadOnlySpan<byte> type, ReadOnlySpan<byte> data)
    {
        Span<byte> number = stackalloc byte[sizeof(int)];
        BinaryPrimitives.WriteInt32BigEndian(number, data.Length);
        png.Write(number);
        png.Write(type);
        png.Write(data);
        var crc = new Crc32();
        crc.Append(type);
        crc.Append(data);
        BinaryPrimitives.WriteUInt32BigEndian(number, crc.GetCurrentHashAsUInt32());
        png.Write(number);
    }
}
