using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text.Json;
using Temper.Domain;

namespace Temper.Harness;

/// <summary>Weights as a worker stores them, with drawn numbers, for tests of what uses a trained model.</summary>
public sealed class ModelFile
{
    private readonly Dictionary<string, object> header = [];
    private readonly List<float> numbers = [];
    private readonly SplitMix64 random = new(7, 11);

    private ModelFile(string model, int channels, int side) =>
        header["__metadata__"] = new Dictionary<string, string>
        {
            ["model"] = model,
            ["dataset"] = "digits",
            ["input"] = $"N×{channels}×{side}×{side} float32: (pixel from 0 to 255 - mean) / deviation",
            ["mean"] = "100",
            ["deviation"] = "50",
        };

    /// <summary>An mlp of one hidden layer and 10 classes.</summary>
    public static byte[] Mlp(int channels, int side, int hidden = 16) =>
        new ModelFile("mlp", channels, side)
            .Add("hidden.0.weight", hidden, channels * side * side)
            .Add("hidden.0.bias", hidden)
            .Add("last.weight", 10, hidden)
            .Add("last.bias", 10)
            .Bytes();

    /// <summary>The cnn for grey images of 28×28 pixels and 10 classes.</summary>
    public static byte[] Cnn() =>
        new ModelFile("cnn", 1, 28)
            .Add("conv1.weight", 32, 1, 3, 3)
            .Add("conv1.bias", 32)
            .Add("conv2.weight", 64, 32, 3, 3)
            .Add("conv2.bias", 64)
            .Add("fc1.weight", 128, 64 * 7 * 7)
            .Add("fc1.bias", 128)
            .Add("fc2.weight", 10, 128)
            .Add("fc2.bias", 10)
            .Bytes();

    /// <summary>resnet20 for colour images of 32×32 pixels and 10 classes.</summary>
    public static byte[] ResNet20()
    {
        var file = new ModelFile("resnet20", 3, 32).Convolution("conv", "norm", 3, 16);
        for (var i = 0; i < 9; i++)
        {
            var to = 16 << (i / 3);
            file.Convolution($"blocks.{i}.conv1", $"blocks.{i}.norm1", i is 3 or 6 ? to / 2 : to, to)
                .Convolution($"blocks.{i}.conv2", $"blocks.{i}.norm2", to, to);
        }
        return file.Add("fc.weight", 10, 64).Add("fc.bias", 10).Bytes();
    }

    private ModelFile Convolution(string conv, string norm, int from, int to)
    {
        Add($"{conv}.weight", to, from, 3, 3).Add($"{norm}.weight", to).Add($"{norm}.bias", to).Add($"{norm}.running_mean", to);
        var start = numbers.Count;
        Add($"{norm}.running_var", to);
        for (var i = start; i < numbers.Count; i++)
            numbers[i] = 1; // a variance is positive
        return this;
    }

    private ModelFile Add(string name, params int[] shape)
    {
        var (start, count) = (numbers.Count, shape.Aggregate(1, (product, size) => product * size));
        var scale = Math.Sqrt(3.0 / (count / shape[0]));
        for (var i = 0; i < count; i++)
            numbers.Add((float)random.NextDouble(-scale, scale));
        header[name] = new
        {
            dtype = "F32",
            shape,
            data_offsets = new[] { 4 * start, 4 * numbers.Count },
        };
        return this;
    }

    private byte[] Bytes()
    {
        var json = JsonSerializer.SerializeToUtf8Bytes(header);
        var length = new byte[8];
        BinaryPrimitives.WriteInt64LittleEndian(length, json.Length);
        return [.. length, .. json, .. MemoryMarshal.AsBytes(CollectionsMarshal.AsSpan(numbers))];
    }
}
