using System.IO.Compression;
using System.Runtime.InteropServices;
using System.Text;
using Temper.Domain.Calibration;

namespace Temper.Api.Calibration;

/// <summary>NumPy's npz: a zip, not compressed, of one npy file an array.</summary>
/// <remarks>https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html</remarks>
internal static class Npz
{
    /// <summary>The same arrays give the same bytes.</summary>
    private static readonly DateTimeOffset NoDate = new(1980, 1, 1, 0, 0, 0, TimeSpan.Zero);

    public static byte[] Write(LabelledLogits logits)
    {
        var file = new MemoryStream();
        using (var zip = new ZipArchive(file, ZipArchiveMode.Create))
        {
            Add<float>(zip, "logits", "<f4", $"({logits.Count}, {logits.Classes})", logits.Logits);
            Add<int>(zip, "labels", "<i4", $"({logits.Count},)", logits.Labels);
        }
        return file.ToArray();
    }

    private static void Add<T>(ZipArchive zip, string name, string type, string shape, T[] values) where T : struct
    {
        var entry = zip.CreateEntry($"{name}.npy", CompressionLevel.NoCompression);
        entry.LastWriteTime = NoDate;
        using var npy = entry.Open();
        npy.Write(Header($"{{'descr': '{type}', 'fortran_order': False, 'shape': {shape}, }}"));
        npy.Write(MemoryMarshal.AsBytes<T>(values));
    }

    /// <summary>Version 1.0, padded so that the numbers start at a multiple of 64.</summary>
    private static byte[] Header(string description)
    {
        const int prefix = 10;
        var padded = (prefix + description.Length + 1 + 63) / 64 * 64 - prefix;
        return [0x93, .. "NUMPY"u8, 1, 0, (byte)padded, (byte)(padded >> 8), .. Encoding.ASCII.GetBytes(description.PadRight(padded - 1)), (byte)'\n'];
    }
}
