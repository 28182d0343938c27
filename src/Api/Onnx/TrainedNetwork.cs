using System.Buffers.Binary;
using System.Globalization;
using System.Text.Json;
using System.Text.RegularExpressions;
using Temper.Domain.Jobs;

namespace Temper.Api.Onnx;

/// <summary>A trained model as the header of its safetensors file describes it.</summary>
/// <param name="Classes">K.</param>
/// <param name="Mean">Of the training images' pixels, in pixel units. A model takes (pixel − mean) / deviation.</param>
/// <param name="Deviation">Standard deviation of the training images' pixels, in pixel units.</param>
/// <param name="Weights">The weights by name.</param>
internal sealed record TrainedNetwork(
    ModelName Model,
    string Dataset,
    ImageShape Images,
    int Classes,
    float Mean,
    float Deviation,
    IReadOnlyDictionary<string, StoredWeights> Weights
)
{
    private const string Metadata = "__metadata__";

    /// <summary>Reads the header of a file that a worker has written.</summary>
    /// <remarks>https://github.com/huggingface/safetensors#format</remarks>
    public static async Task<TrainedNetwork> ReadAsync(Stream file, CancellationToken cancellation)
    {
        var length = new byte[sizeof(long)];
        await file.ReadExactlyAsync(length, cancellation);
        var header = new byte[BinaryPrimitives.ReadInt64LittleEndian(length)];
        await file.ReadExactlyAsync(header, cancellation);
        using var json = JsonDocument.Parse(header);
        var metadata = json.RootElement.GetProperty(Metadata);
        var weights = json
            .RootElement.EnumerateObject()
            .Where(entry => entry.Name != Metadata)
            .ToDictionary(entry => entry.Name, entry => StoredWeights.Of(entry.Value, length.Length + header.Length));
        var model = Enum.Parse<ModelName>(Text("model"), ignoreCase: true);
        return new(
            model,
            Text("dataset"),
            ImageShape.Of(Text("input")),
            (int)weights[$"{ForwardPass.LastLayer(model)}.bias"].Shape[0],
            Number("mean"),
            Number("deviation"),
            weights
        );

        string Text(string name) => metadata.GetProperty(name).GetString()!; // a worker writes all of them

        float Number(string name) => (float)double.Parse(Text(name), CultureInfo.InvariantCulture);
    }
}

/// <summary>The size of a model's images.</summary>
/// <param name="Channels">1 for grey, 3 for colour.</param>
internal readonly partial record struct ImageShape(int Height, int Width, int Channels)
{
    /// <summary>Bytes of one image.</summary>
    public int Pixels => Height * Width * Channels;

    /// <param name="input">What a worker writes, such as `N×1×28×28 float32: …`: N, C, H, W.</param>
    public static ImageShape Of(string input)
    {
        var sizes = Sizes()
            .Match(input)
            .Groups.Values.Skip(1)
            .Select(size => int.Parse(size.Value, CultureInfo.InvariantCulture))
            .ToArray();
        return new(sizes[1], sizes[2], sizes[0]);
    }

    [GeneratedRegex("^N×([0-9]+)×([0-9]+)×([0-9]+) ")]
    private static partial Regex Sizes();
}

/// <summary>Where the float32 numbers of one tensor are.</summary>
/// <param name="Start">Offset in the file, in bytes.</param>
/// <param name="Length">In bytes.</param>
internal sealed record StoredWeights(IReadOnlyList<long> Shape, long Start, int Length)
{
    /// <param name="start">Offset of all numbers in the file, in bytes.</param>
    public static StoredWeights Of(JsonElement entry, long start)
    {
        var offsets = entry.GetProperty("data_offsets");
        var (from, to) = (offsets[0].GetInt64(), offsets[1].GetInt64());
        return new([.. entry.GetProperty("shape").EnumerateArray().Select(size => size.GetInt64())], start + from, (int)(to - from));
    }
}
