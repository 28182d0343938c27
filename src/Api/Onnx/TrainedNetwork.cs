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

    /// <summary>The largest header has a hundredth of this.</summary>
    private const int LargestHeader = 4 << 20;

    /// <summary>Reads the header of a file that a worker has written.</summary>
    /// <remarks>https://github.com/huggingface/safetensors#format</remarks>
    /// <exception cref="DamagedModelException">The file is no such file, or is cut off.</exception>
    public static async Task<TrainedNetwork> ReadAsync(Stream file, CancellationToken cancellation)
    {
        var length = new byte[sizeof(long)];
        if (file.Length < length.Length)
            throw new DamagedModelException("it is cut off");
        await file.ReadExactlyAsync(length, cancellation);
        var headerLength = BinaryPrimitives.ReadInt64LittleEndian(length);
        if (headerLength < 0 || headerLength > Math.Min(LargestHeader, file.Length - length.Length))
            throw new DamagedModelException("it has no header, or is cut off");
        var header = new byte[headerLength];
        await file.ReadExactlyAsync(header, cancellation);
        try
        {
            return Parse(header, numbers: file.Length - length.Length - header.Length);
        }
        catch (Exception e)
            when (e
                    is JsonException
                        or KeyNotFoundException
                        or InvalidOperationException
                        or FormatException
                        or ArgumentException
                        or OverflowException
            )
        {
            throw new DamagedModelException($"its header cannot be read: {e.Message}", e);
        }
    }

    /// <exception cref="DamagedModelException">The file lacks the weight.</exception>
    public StoredWeights WeightsOf(string name) =>
        Weights.TryGetValue(name, out var weights) ? weights : throw new DamagedModelException($"it lacks {name}");

    /// <param name="numbers">Bytes that follow the header.</param>
    private static TrainedNetwork Parse(byte[] header, long numbers)
    {
        using var json = JsonDocument.Parse(header);
        var metadata = json.RootElement.GetProperty(Metadata);
        var weights = json
            .RootElement.EnumerateObject()
            .Where(entry => entry.Name != Metadata)
            .ToDictionary(entry => entry.Name, entry => StoredWeights.Of(entry, sizeof(long) + header.Length, numbers));
        var model = Enum.Parse<ModelName>(Text("model"), ignoreCase: true);
        return new(
            model,
            Text("dataset"),
            ImageShape.Of(Text("input")),
            (int)weights[$"{ForwardPass.LastLayer(model)}.bias"].Shape.Single(),
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
        return sizes is [var channels, var height, var width]
            ? new(height, width, channels)
            : throw new FormatException($"Its input is {input}.");
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
    /// <param name="length">Of all numbers, in bytes.</param>
    /// <exception cref="DamagedModelException">The numbers are not float32, not as many as the shape has, or cut off.</exception>
    public static StoredWeights Of(JsonProperty entry, long start, long length)
    {
        var offsets = entry.Value.GetProperty("data_offsets");
        var (from, to) = (offsets[0].GetInt64(), offsets[1].GetInt64());
        long[] shape = [.. entry.Value.GetProperty("shape").EnumerateArray().Select(size => size.GetInt64())];
        if (
            entry.Value.GetProperty("dtype").GetString() != "F32"
            || from < 0
            || to < from
            || to > length
            || to - from != shape.Aggregate((long)sizeof(float), (product, size) => checked(product * size))
        )
            throw new DamagedModelException($"it does not have all of {entry.Name}");
        return new(shape, start + from, checked((int)(to - from)));
    }
}
