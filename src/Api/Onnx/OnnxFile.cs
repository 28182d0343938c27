using System.Globalization;
using System.Text.Json;
using Google.Protobuf;
using Temper.Api.Protobuf;
using Temper.Domain.Calibration.Calibrators;
using Temper.Domain.Serialization;

namespace Temper.Api.Onnx;

/// <summary>The type of the pixels that an ONNX file takes. They are from 0 to 255 in either.</summary>
internal enum PixelType
{
    UInt8,
    Float32,
}

/// <summary>
/// A trained model as an ONNX file. Its input `images` is N×H×W×C. Its outputs are float32, N×K: `logits`, `probabilities`
/// = softmax(logits), and `calibrated`: the probabilities by a calibrator, softmax(logits / T) for temperature scaling.
/// </summary>
/// <remarks>
/// The weights stay where they are stored until the file is written, and are then copied piece by piece.
/// Format: https://github.com/onnx/onnx/blob/main/onnx/onnx.proto3.
/// </remarks>
internal sealed class OnnxFile
{
    public const string Images = "images",
        Logits = "logits",
        Probabilities = "probabilities",
        Calibrated = "calibrated";

    /// <summary>Versions of the format and of the operators, of 2020, which nearly every runtime reads.</summary>
    private const int FormatVersion = 7,
        OperatorsVersion = 13;

    // Fields of ModelProto, OperatorSetIdProto and StringStringEntryProto.
    private const int ModelFormat = 1,
        ModelProducer = 2,
        ModelText = 6,
        ModelGraph = 7,
        ModelOperators = 8,
        ModelMetadata = 14,
        OperatorsNumber = 2,
        EntryKey = 1,
        EntryValue = 2;

    // Fields of GraphProto.
    private const int GraphNode = 1,
        GraphName = 2,
        GraphConstant = 5,
        GraphInput = 11,
        GraphOutput = 12;

    // Fields of ValueInfoProto, TypeProto, TypeProto.Tensor, TensorShapeProto and its Dimension.
    private const int ValueName = 1,
        ValueType = 2,
        TypeTensor = 1,
        TensorElement = 1,
        TensorShape = 2,
        ShapeDimension = 1,
        DimensionNumber = 1,
        DimensionName = 2;

    private readonly List<Piece> pieces;

    /// <param name="temperature">T of the job's calibration report.</param>
    /// <param name="classNames">K names; null when the classes have only numbers.</param>
    /// <param name="calibrator">Temperature scaling with T when null.</param>
    /// <exception cref="DamagedModelException">A weight is missing.</exception>
    public OnnxFile(
        TrainedNetwork network,
        Guid job,
        double temperature,
        IReadOnlyList<string>? classNames,
        PixelType pixels,
        Calibrator? calibrator = null
    )
    {
        calibrator ??= new TemperatureScaling(temperature);
        var model = FormattableString.Invariant($"{network.Model}").ToLowerInvariant();
        var (height, width, channels) = network.Images;
        var input = FormattableString.Invariant($"N×{height}×{width}×{channels} {NameOf(pixels)}, pixels from 0 to 255");
        var nodes = Nodes(network, calibrator, pixels);
        var weights = nodes.Weights.Select(name => Piece.Of(name, network.WeightsOf(name))).ToList();
        var graph = Message.Of(fields =>
        {
            foreach (var node in nodes.Nodes)
                fields.Bytes(GraphNode, node);
            fields.Text(GraphName, model);
            foreach (var constant in nodes.Constants)
                fields.Bytes(GraphConstant, constant);
            fields.Bytes(GraphInput, Value(Images, pixels == PixelType.UInt8 ? Graph.UInt8 : Graph.Float32, height, width, channels));
            foreach (var output in new[] { Logits, Probabilities, Calibrated })
                fields.Bytes(GraphOutput, Value(output, Graph.Float32, network.Classes));
        });
        var start = Message.Of(fields =>
        {
            fields.Whole(ModelFormat, FormatVersion);
            fields.Text(ModelProducer, "Temper");
            fields.Text(ModelText, $"{Images}: {input}. {Calibrated}: {CalibratorNodes.Text(calibrator.Name)}.");
            fields.Bytes(ModelOperators, Message.Of(operators => operators.Whole(OperatorsNumber, OperatorsVersion)));
            fields.Bytes(ModelMetadata, Entry("job", job.ToString()));
            fields.Bytes(ModelMetadata, Entry("dataset", network.Dataset));
            fields.Bytes(ModelMetadata, Entry("model", model));
            fields.Bytes(ModelMetadata, Entry("input", input));
            fields.Bytes(ModelMetadata, Entry("temperature", temperature.ToString("R", CultureInfo.InvariantCulture)));
            if (calibrator.Name != CalibratorName.Temperature) // the default's file stays what it was before there was a choice
                fields.Bytes(ModelMetadata, Entry("calibrator", Json.Name(calibrator.Name)));
            if (classNames is not null)
                fields.Bytes(ModelMetadata, Entry("classNames", JsonSerializer.Serialize(classNames)));
        });
        // The weights are the graph's last fields and the file's last bytes.
        var startOfGraph = Message.Start(ModelGraph, graph.Length + weights.Sum(piece => piece.Length));
        pieces = [new([.. start, .. startOfGraph, .. graph], null), .. weights];
    }

    /// <summary>In bytes.</summary>
    public long Length => pieces.Sum(piece => piece.Length);

    /// <param name="weights">The safetensors file, seekable.</param>
    public async Task WriteAsync(Stream to, Stream weights, CancellationToken cancellation)
    {
        var buffer = new byte[64 << 10];
        foreach (var piece in pieces)
        {
            await to.WriteAsync(piece.Head, cancellation);
            if (piece.Weights is not { } range)
                continue;
            weights.Position = range.Start;
            for (var left = range.Length; left > 0; )
            {
                var some = buffer.AsMemory(0, Math.Min(left, buffer.Length));
                await weights.ReadExactlyAsync(some, cancellation);
                await to.WriteAsync(some, cancellation);
                left -= some.Length;
            }
        }
    }

    /// <summary>The name of a type of pixels, as the query parameter `input` has it.</summary>
    public static string NameOf(PixelType pixels) => pixels.ToString().ToLowerInvariant();

    private static Graph Nodes(TrainedNetwork network, Calibrator calibrator, PixelType pixels)
    {
        var graph = new Graph();
        var x = graph.Add("Transpose", [Images], [Graph.Wholes("perm", 0, 3, 1, 2)]);
        if (pixels == PixelType.UInt8)
            x = graph.Add("Cast", [x], [Graph.Whole("to", Graph.Float32)]);
        x = graph.Add("Sub", [x, graph.Constant("mean", network.Mean)]);
        x = graph.Add("Div", [x, graph.Constant("deviation", network.Deviation)]);
        ForwardPass.Add(graph, network, x, Logits);
        graph.Add("Softmax", [Logits], [Graph.Whole("axis", 1)], Probabilities);
        CalibratorNodes.Add(graph, calibrator, Logits, Calibrated);
        return graph;
    }

    /// <summary>A ValueInfoProto of N rows.</summary>
    private static ByteString Value(string name, int type, params int[] row)
    {
        var shape = Message.Of(dimensions =>
        {
            dimensions.Bytes(ShapeDimension, Message.Of(dimension => dimension.Text(DimensionName, "N")));
            foreach (var size in row)
                dimensions.Bytes(ShapeDimension, Message.Of(dimension => dimension.Whole(DimensionNumber, size)));
        });
        var tensor = Message.Of(fields =>
        {
            fields.Whole(TensorElement, type);
            fields.Bytes(TensorShape, shape);
        });
        return Message.Of(value =>
        {
            value.Text(ValueName, name);
            value.Bytes(ValueType, Message.Of(fields => fields.Bytes(TypeTensor, tensor)));
        });
    }

    private static ByteString Entry(string key, string value) =>
        Message.Of(entry =>
        {
            entry.Text(EntryKey, key);
            entry.Text(EntryValue, value);
        });

    /// <param name="Head">Bytes to write as they are.</param>
    /// <param name="Weights">The weights that follow them; null for none.</param>
    private sealed record Piece(byte[] Head, StoredWeights? Weights)
    {
        public long Length => Head.Length + (long)(Weights?.Length ?? 0);

        /// <summary>The field of the graph that holds the weights.</summary>
        public static Piece Of(string name, StoredWeights weights)
        {
            var fields = Message.Of(tensor =>
            {
                foreach (var size in weights.Shape)
                    tensor.Whole(Graph.TensorSize, size);
                tensor.Whole(Graph.TensorType, Graph.Float32);
                tensor.Text(Graph.TensorName, name);
            });
            var startOfNumbers = Message.Start(Graph.TensorBytes, weights.Length);
            var startOfField = Message.Start(GraphConstant, fields.Length + startOfNumbers.Length + (long)weights.Length);
            return new([.. startOfField, .. fields, .. startOfNumbers], weights);
        }
    }
}
