using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text.Json;

namespace Temper.Worker.Training;

/// <summary>
/// Writes a model's parameters in the safetensors format: the header's length, a JSON header, then the numbers.
/// </summary>
/// <remarks>https://github.com/huggingface/safetensors#format</remarks>
internal static class Safetensors
{
    /// <param name="metadata">What a reader needs to use the weights.</param>
    public static byte[] Write(Module model, Dictionary<string, string> metadata)
    {
        var header = new Dictionary<string, object> { ["__metadata__"] = metadata };
        var data = new MemoryStream();
        foreach (var (name, shape, values) in Numbers(model))
        {
            var start = data.Length;
            data.Write(MemoryMarshal.AsBytes<float>(values));
            header[name] = new
            {
                dtype = "F32",
                shape,
                data_offsets = new[] { start, data.Length },
            };
        }
        // Spaces pad the header, so that the numbers start at a multiple of 8.
        var json = JsonSerializer.SerializeToUtf8Bytes(header);
        var padded = (json.Length + 7) / 8 * 8;
        var file = new byte[8 + padded + data.Length];
        BinaryPrimitives.WriteInt64LittleEndian(file, padded);
        json.CopyTo(file, 8);
        file.AsSpan(8 + json.Length, padded - json.Length).Fill((byte)' ');
        data.GetBuffer().AsSpan(0, (int)data.Length).CopyTo(file.AsSpan(8 + padded));
        return file;
    }

    /// <summary>SHA-256 of the model's numbers in the same order, lower-case hex.</summary>
    public static string Sha256(Module model)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (var (_, _, values) in Numbers(model))
            hash.AppendData(MemoryMarshal.AsBytes<float>(values));
        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }

    /// <summary>
    /// The float32 parameters and buffers, row-major. It skips TorchSharp's counters of batches, which are integers.
    /// </summary>
    private static IEnumerable<(string Name, long[] Shape, float[] Values)> Numbers(Module model)
    {
        foreach (var (name, tensor) in model.state_dict().Where(entry => entry.Value.dtype == float32))
        {
            using var weights = tensor.detach().cpu().contiguous();
            yield return (name, weights.shape, weights.data<float>().ToArray());
        }
    }
}
