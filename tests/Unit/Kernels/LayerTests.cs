using Temper.Unit.Fixtures;

namespace Temper.Unit.Kernels;

/// <summary>
/// Compares layers with PyTorch's numbers, whether this project's kernels or libtorch's operations compute them. Layers of few
/// channels are compared without the gradient of their images: docs/libtorch.md says why.
/// </summary>
[Collection(AloneCollection.Name)]
public sealed class LayerTests : KernelTest
{
    private sealed record Case(string Name, double[] Output, double[][] Gradients);

    private static readonly Dictionary<string, (Func<Module<Tensor, Tensor>> Layer, long[] Input)> Layers = new()
    {
        ["conv2d padded"] = (() => Conv2d(1, 4, 3, padding: 1), [2, 1, 6, 6]),
        ["conv2d of channels"] = (() => Conv2d(3, 4, 3, padding: 1), [2, 3, 5, 7]),
        ["conv2d strided and dilated"] = (() => Conv2d(2, 2, 3, stride: 2, dilation: 2), [1, 2, 9, 9]),
        ["conv2d grouped"] = (() => Conv2d(4, 4, 3, padding: 1, groups: 2), [1, 4, 4, 4]),
        ["conv2d of many channels"] = (() => Conv2d(16, 16, 3, padding: 1, bias: false), [2, 16, 5, 6]),
        ["conv2d, relu, max_pool2d"] = (() => Conv2d(16, 16, 3, padding: 1), [2, 16, 5, 6]),
        ["linear"] = (() => Linear(5, 4), [3, 5]),
        ["linear and relu"] = (() => Linear(20, 24), [9, 20]),
    };

    public static TheoryData<string, bool> Cases
    {
        get
        {
            var cases = new TheoryData<string, bool>();
            foreach (var (name, (_, input)) in Layers)
            {
                cases.Add(name, false);
                if (input.Length == 4)
                    cases.Add(name, true);
            }
            return cases;
        }
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Layer_InBothPasses_MatchesPyTorch(string name, bool channelsLast)
    {
        var expected = Fixture.Read<Case>("layers.json").Single(c => c.Name == name);
        var (create, shape) = Layers[name];
        using var layer = create();
        var values = Input(shape, salt: 1);
        var isFirst = shape is [_, < 4, ..] && layer is Conv2d { padding: [1, 1] };
        var input = (channelsLast ? ChannelsLast(values) : values).detach().requires_grad_(!isFirst);
        var salt = 2;
        using (no_grad())
            foreach (var parameter in layer.parameters())
                parameter.copy_(Input(parameter.shape, salt++));

        var output = layer switch
        {
            Conv2d conv when name.EndsWith("max_pool2d", StringComparison.Ordinal) => Fused.ConvReluPool(input, conv),
            Conv2d conv => Fused.Convolution(input, conv),
            _ => Fused.Linear(input, (Linear)layer, relu: name.EndsWith("relu", StringComparison.Ordinal)),
        };
        Gradients.Compute((output * torch.tensor(Fixture.Floats(output.numel(), 99), output.shape)).sum());

        AssertMatches(expected.Output, output);
        if (!isFirst)
            AssertMatches(expected.Gradients[0], input.grad!);
        foreach (var (gradient, parameter) in expected.Gradients.Skip(1).Zip(layer.parameters()))
            AssertMatches(gradient, parameter.grad!);
    }

    private static Tensor Input(long[] shape, int salt) => torch.tensor(Fixture.Floats(Count(shape), salt), shape);

    private static void AssertMatches(double[] expected, Tensor actual) =>
        AssertClose(Array.ConvertAll(expected, value => (float)value), Read(actual));
}
