using Temper.Torch.Modules;
using Temper.Unit.Fixtures;

namespace Temper.Unit.Torch;

[Collection(AloneCollection.Name)]
public class LayerTests
{
    private sealed record Case(string Name, double[] Output, double[][] Gradients);

    private static readonly Dictionary<string, (Func<Tensor[], Tensor> Forward, long[][] Shapes)> Layers = new()
    {
        ["conv2d padded"] = (Layer(() => Conv2d(1, 4, 3, padding: 1)), [[2, 1, 6, 6], [4, 1, 3, 3], [4]]),
        ["conv2d of channels"] = (Layer(() => Conv2d(3, 4, 3, padding: 1)), [[2, 3, 5, 7], [4, 3, 3, 3], [4]]),
        ["conv2d strided and dilated"] = (Layer(() => Conv2d(2, 2, 3, stride: 2, dilation: 2)), [[1, 2, 9, 9], [2, 2, 3, 3], [2]]),
        ["conv2d grouped"] = (Layer(() => Conv2d(4, 4, 3, padding: 1, groups: 2)), [[1, 4, 4, 4], [4, 2, 3, 3], [4]]),
        ["linear"] = (Layer(() => Linear(5, 4)), [[3, 5], [4, 5], [4]]),
        ["relu"] = (x => functional.relu(x[0]), [[2, 9]]),
        ["max_pool2d"] = (x => functional.max_pool2d(x[0], 2), [[2, 3, 4, 6]]),
        ["max_pool2d of odd size"] = (x => functional.max_pool2d(x[0], 2), [[1, 2, 5, 7]]),
        ["max_pool2d padded, ceil"] = (x => functional.max_pool2d(x[0], 3, stride: 2, padding: 1, ceil_mode: true), [[1, 1, 6, 6]]),
    };

    public static TheoryData<string, bool> Cases
    {
        get
        {
            var cases = new TheoryData<string, bool>();
            foreach (var (name, (_, shapes)) in Layers)
            {
                cases.Add(name, false);
                if (shapes[0].Length == 4) cases.Add(name, true);
            }
            return cases;
        }
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Forward_EachLayer_MatchesPyTorchInOutputAndGradients(string name, bool channelsLast)
    {
        using var scope = NewDisposeScope();
        var expected = Fixture.Read<Case>("layers.json").Single(c => c.Name == name);
        var (forward, shapes) = Layers[name];
        var inputs = shapes.Select((shape, i) => Input(shape, i + 1, channelsLast)).ToArray();

        var output = forward(inputs);
        (output * torch.tensor(Fixture.Floats(output.NumberOfElements, 99), output.shape)).sum().backward();

        AssertClose(expected.Output, output);
        for (var i = 0; i < inputs.Length; i++) AssertClose(expected.Gradients[i], inputs[i].grad!);
        foreach (var parameter in inputs.OfType<Parameter>()) parameter.Dispose();
    }

    private static Tensor Input(long[] shape, int salt, bool channelsLast)
    {
        var values = torch.tensor(Fixture.Floats(shape.Aggregate((a, b) => a * b), salt), shape);
        return (channelsLast && shape.Length == 4 ? Extras.ChannelsLast(values) : values).requires_grad_();
    }

    /// <summary>Gives a layer the fixture's weights; inputs[1] and [2] then receive the layer's gradients.</summary>
    private static Func<Tensor[], Tensor> Layer(Func<Module<Tensor, Tensor>> create) => inputs =>
    {
        var layer = create();
        foreach (var (parameter, input) in layer.parameters().Zip(inputs.Skip(1).ToArray()))
            using (no_grad()) parameter.copy_(input);
        var output = layer.forward(inputs[0]);
        // Hand the layer's own leaf tensors back as the inputs whose gradients are checked.
        var parameters = layer.parameters().ToArray();
        for (var i = 0; i < parameters.Length; i++) inputs[i + 1] = parameters[i];
        return output;
    };

    private static void AssertClose(double[] expected, Tensor actual)
    {
        var values = actual.contiguous().data<float>().ToArray();
        Assert.Equal(expected.Length, values.Length);
        for (var i = 0; i < values.Length; i++) Assert.Equal(expected[i], values[i], 2e-6);
    }
}
