using System.Runtime.InteropServices;
using Google.Protobuf;
using Temper.Api.Protobuf;

namespace Temper.Api.Onnx;

/// <summary>Collects the nodes and constants of an ONNX graph. A value is known by its name.</summary>
/// <remarks>The field numbers are those of https://github.com/onnx/onnx/blob/main/onnx/onnx.proto3.</remarks>
internal sealed class Graph
{
    /// <summary>Types of numbers.</summary>
    public const int Float32 = 1,
        UInt8 = 2,
        Int64 = 7,
        Float64 = 11;

    /// <summary>Fields of TensorProto.</summary>
    public const int TensorSize = 1,
        TensorType = 2,
        TensorName = 8,
        TensorBytes = 9;

    // Fields of NodeProto.
    private const int NodeInput = 1,
        NodeOutput = 2,
        NodeName = 3,
        NodeOperator = 4,
        NodeAttribute = 5;

    // Fields of AttributeProto, and values of its type.
    private const int AttributeName = 1,
        AttributeNumber = 2,
        AttributeWhole = 3,
        AttributeWholes = 8,
        AttributeType = 20,
        OfNumber = 1,
        OfWhole = 2,
        OfWholes = 7;

    private readonly List<ByteString> nodes = [],
        constants = [];
    private readonly List<string> weights = [];

    /// <summary>Messages NodeProto, in the order of computation.</summary>
    public IReadOnlyList<ByteString> Nodes => nodes;

    /// <summary>Messages TensorProto.</summary>
    public IReadOnlyList<ByteString> Constants => constants;

    /// <summary>Names of the weights that the nodes take.</summary>
    public IReadOnlyList<string> Weights => weights;

    /// <param name="attributes">Messages AttributeProto.</param>
    /// <param name="output">The name of the result; made up when null.</param>
    /// <returns>The name of the result.</returns>
    public string Add(string @operator, string[] inputs, ByteString[]? attributes = null, string? output = null)
    {
        output ??= FormattableString.Invariant($"{@operator}.{nodes.Count}");
        nodes.Add(
            Message.Of(node =>
            {
                foreach (var input in inputs)
                    node.Text(NodeInput, input);
                node.Text(NodeOutput, output);
                node.Text(NodeName, output);
                node.Text(NodeOperator, @operator);
                foreach (var attribute in attributes ?? [])
                    node.Bytes(NodeAttribute, attribute);
            })
        );
        return output;
    }

    /// <returns>The name of the weights.</returns>
    public string Weight(string name)
    {
        weights.Add(name);
        return name;
    }

    public string Constant(string name, float value) => Constant(name, Float32, [], MemoryMarshal.AsBytes<float>([value]));

    /// <param name="shape">As many numbers as there are values.</param>
    public string Constant(string name, float[] values, params long[] shape) =>
        Constant(name, Float32, shape, MemoryMarshal.AsBytes<float>(values));

    /// <inheritdoc cref="Constant(string, float[], long[])"/>
    public string Constant(string name, double[] values, params long[] shape) =>
        Constant(name, Float64, shape, MemoryMarshal.AsBytes<double>(values));

    public string Constant(string name, long[] values) => Constant(name, Int64, [values.Length], MemoryMarshal.AsBytes<long>(values));

    public static ByteString Number(string name, float value) =>
        Attribute(name, OfNumber, attribute => attribute.Number(AttributeNumber, value));

    public static ByteString Whole(string name, long value) =>
        Attribute(name, OfWhole, attribute => attribute.Whole(AttributeWhole, value));

    public static ByteString Wholes(string name, params long[] values) =>
        Attribute(
            name,
            OfWholes,
            attribute =>
            {
                foreach (var value in values)
                    attribute.Whole(AttributeWholes, value);
            }
        );

    private static ByteString Attribute(string name, int type, Action<CodedOutputStream> value) =>
        Message.Of(attribute =>
        {
            attribute.Text(AttributeName, name);
            value(attribute);
            attribute.Whole(AttributeType, type);
        });

    private string Constant(string name, int type, long[] shape, ReadOnlySpan<byte> values)
    {
        var bytes = ByteString.CopyFrom(values);
        constants.Add(
            Message.Of(tensor =>
            {
                foreach (var size in shape)
                    tensor.Whole(TensorSize, size);
                tensor.Whole(TensorType, type);
                tensor.Text(TensorName, name);
                tensor.Bytes(TensorBytes, bytes);
            })
        );
        return name;
    }
}
