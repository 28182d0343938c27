using System.IO.Compression;
using System.Runtime.InteropServices;

namespace Temper.Harness;

/// <summary>Files as numpy.savez writes them.</summary>
public static class NpzBytes
{
    /// <param name="arrays">Values of float, double, int or long, in C order.</param>
    public static byte[] Of(params (string Name, Array Values, int[] Shape)[] arrays)
    {
        var file = new MemoryStream();
        using (var zip = new ZipArchive(file, ZipArchiveMode.Create))
            foreach (var (name, values, shape) in arrays)
            {
                using var npy = zip.CreateEntry($"{name}.npy", CompressionLevel.NoCompression).Open();
                npy.Write(Npy(values, shape));
            }
        return file.ToArray();
    }

    private static byte[] Npy(Array values, int[] shape)
    {
        var (type, bytes) = values switch
        {
            float[] floats => ("<f4", MemoryMarshal.AsBytes<float>(floats).ToArray()),
            double[] doubles => ("<f8", MemoryMarshal.AsBytes<double>(doubles).ToArray()),
            int[] ints => ("<i4", MemoryMarshal.AsBytes<int>(ints).ToArray()),
            long[] longs => ("<i8", MemoryMarshal.AsBytes<long>(longs).ToArray()),
            _ => throw new ArgumentException($"No npy type for {values.GetType()}.", nameof(values)),
        };
        return NpzFiles.Npy(type, $"({string.Join(", ", shape)}{(shape.Length == 1 ? "," : "")})", bytes);
    }
}
