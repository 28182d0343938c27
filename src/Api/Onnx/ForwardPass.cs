using Temper.Domain.Jobs;

namespace Temper.Api.Onnx;

/// <summary>Writes the forward passes of the worker's models as nodes. The names of the weights are those of the stored file.</summary>
internal static class ForwardPass
{
    /// <summary>The epsilon of PyTorch's batch normalization.</summary>
    private const float NormEpsilon = 1e-5f;

    /// <summary>LeNet-5 puts a border around images that are smaller than this.</summary>
    private const int LeNetSide = 32;

    /// <summary>The name of the layer that gives the logits.</summary>
    public static string LastLayer(ModelName model) =>
        model switch
        {
            ModelName.Cnn => "fc2",
            ModelName.Lenet5 => "fc3",
            ModelName.Mlp => "last",
            _ => "fc",
        };

    /// <param name="images">Normalized images, N×C×H×W.</param>
    /// <param name="output">The name of the logits, N×K.</param>
    public static void Add(Graph graph, TrainedNetwork network, string images, string output)
    {
        switch (network.Model)
        {
            case ModelName.Cnn:
                Cnn(graph, images, output);
                break;
            case ModelName.Lenet5:
                LeNet5(graph, network.Images, images, output);
                break;
            case ModelName.Mlp:
                Mlp(graph, network, images, output);
                break;
            default:
                ResNet(graph, network, images, output);
                break;
        }
    }

    private static void Cnn(Graph graph, string x, string output)
    {
        x = Pool(graph, Relu(graph, Convolution(graph, x, "conv1", rows: 1, columns: 1)));
        x = Pool(graph, Relu(graph, Convolution(graph, x, "conv2", rows: 1, columns: 1)));
        x = Relu(graph, Linear(graph, Flatten(graph, x), "fc1"));
        Linear(graph, x, LastLayer(ModelName.Cnn), output);
    }

    private static void LeNet5(Graph graph, ImageShape images, string x, string output)
    {
        x = Pool(graph, Relu(graph, Convolution(graph, x, "conv1", Border(images.Height), Border(images.Width))));
        x = Pool(graph, Relu(graph, Convolution(graph, x, "conv2", rows: 0, columns: 0)));
        x = Relu(graph, Linear(graph, Flatten(graph, x), "fc1"));
        x = Relu(graph, Linear(graph, x, "fc2"));
        Linear(graph, x, LastLayer(ModelName.Lenet5), output);

        static int Border(int side) => Math.Max(0, (LeNetSide - side) / 2);
    }

    private static void Mlp(Graph graph, TrainedNetwork network, string x, string output)
    {
        x = Flatten(graph, x);
        for (var i = 0; network.Weights.ContainsKey($"hidden.{i}.weight"); i++)
            x = Relu(graph, Linear(graph, x, $"hidden.{i}"));
        Linear(graph, x, LastLayer(ModelName.Mlp), output);
    }

    private static void ResNet(Graph graph, TrainedNetwork network, string x, string output)
    {
        x = Relu(graph, Normalized(graph, x, "conv", "norm", stride: 1));
        for (var i = 0; network.Weights.TryGetValue($"blocks.{i}.conv1.weight", out var conv1); i++)
            x = Block(graph, x, $"blocks.{i}", from: conv1.Shape[1], to: conv1.Shape[0]);
        Linear(graph, Flatten(graph, graph.Add("GlobalAveragePool", [x])), "fc", output);
    }

    private static string Block(Graph graph, string x, string block, long from, long to)
    {
        var y = Relu(graph, Normalized(graph, x, $"{block}.conv1", $"{block}.norm1", stride: from == to ? 1 : 2));
        y = Normalized(graph, y, $"{block}.conv2", $"{block}.norm2", stride: 1);
        return Relu(graph, graph.Add("Add", [y, from == to ? x : Shortcut(graph, x, block, to - from)]));
    }

    /// <summary>Every other pixel of the input, with channels of zeros added.</summary>
    private static string Shortcut(Graph graph, string x, string block, long moreChannels)
    {
        x = graph.Add("MaxPool", [x], [Graph.Wholes("kernel_shape", 1, 1), Graph.Wholes("strides", 2, 2)]);
        var (before, after) = (moreChannels / 2, moreChannels - moreChannels / 2);
        return graph.Add("Pad", [x, graph.Constant($"{block}.pads", [0, before, 0, 0, 0, after, 0, 0])]);
    }

    /// <summary>A 3×3 convolution without a bias, then batch normalization with the stored mean and variance.</summary>
    private static string Normalized(Graph graph, string x, string conv, string norm, long stride)
    {
        x = graph.Add(
            "Conv",
            [x, graph.Weight($"{conv}.weight")],
            [Graph.Wholes("pads", 1, 1, 1, 1), Graph.Wholes("strides", stride, stride)]
        );
        string[] parts = ["weight", "bias", "running_mean", "running_var"];
        return graph.Add(
            "BatchNormalization",
            [x, .. parts.Select(part => graph.Weight($"{norm}.{part}"))],
            [Graph.Number("epsilon", NormEpsilon)]
        );
    }

    private static string Convolution(Graph graph, string x, string layer, int rows, int columns) =>
        graph.Add(
            "Conv",
            [x, graph.Weight($"{layer}.weight"), graph.Weight($"{layer}.bias")],
            [Graph.Wholes("pads", rows, columns, rows, columns)]
        );

    private static string Linear(Graph graph, string x, string layer, string? output = null) =>
        graph.Add("Gemm", [x, graph.Weight($"{layer}.weight"), graph.Weight($"{layer}.bias")], [Graph.Whole("transB", 1)], output);

    private static string Pool(Graph graph, string x) =>
        graph.Add("MaxPool", [x], [Graph.Wholes("kernel_shape", 2, 2), Graph.Wholes("strides", 2, 2)]);

    private static string Relu(Graph graph, string x) => graph.Add("Relu", [x]);

    private static string Flatten(Graph graph, string x) => graph.Add("Flatten", [x]);
}
