namespace Temper.Unit.Torch;

/// <summary>3×3 convolutions by our kernels against libtorch's own.</summary>
[Collection(AloneCollection.Name)]
public sealed class ConvTests : IDisposable
{
    private const int Plain = 0;

    public sealed record Sizes(long[] Input, long Out, bool Bias = false, long Stride = 1)
    {
        public bool FitKernelsOf(int lanes) => !Bias && Stride == 1 && (Input[1] % lanes == 0 || Input[1] % 8 == 0) && Out % 8 == 0;

        public override string ToString() => $"{string.Join('×', Input)} to {Out}{(Bias ? " with bias" : "")}{(Stride > 1 ? $" by {Stride}" : "")}";
    }

    public static TheoryData<int, Sizes> Cases
    {
        get
        {
            Sizes[] sizes =
            [
                new([3, 16, 32, 32], 16), new([2, 32, 16, 16], 32), new([2, 64, 8, 8], 64), new([2, 16, 7, 9], 48), new([1, 8, 5, 6], 24), new([2, 16, 1, 1], 16), new([2, 48, 3, 2], 32),
                new([2, 3, 8, 8], 16), new([2, 16, 8, 8], 16, Bias: true), new([2, 16, 8, 8], 32, Stride: 2), // libtorch's
            ];
            var data = new TheoryData<int, Sizes>();
            foreach (var lanes in new[] { 8, 16 })
                foreach (var size in sizes) data.Add(lanes, size);
            return data;
        }
    }

    public void Dispose() => Extras.LimitVectorLanes(16);

    [Theory]
    [MemberData(nameof(Cases))]
    public void Convolution_OfRealNumbers_IsThePlainOneToRounding(int lanes, Sizes sizes)
    {
        var (expected, actual) = (Run(Plain, sizes, Draw), Run(lanes, sizes, Draw));

        AssertClose(expected.Output, actual.Output);
        AssertClose(expected.InputGradient, actual.InputGradient);
        AssertClose(expected.WeightGradient, actual.WeightGradient);
        // Sums of many terms are rounded in another order, which shows that it was the kernels that made them.
        if (expected.Output.Length > 1000) Assert.Equal(sizes.FitKernelsOf(lanes) && Extras.FusedKernels != "none", !expected.Output.SequenceEqual(actual.Output));
    }

    /// <summary>Sums of whole numbers are not rounded, whatever their order.</summary>
    [Theory]
    [MemberData(nameof(Cases))]
    public void Convolution_OfWholeNumbers_IsThePlainOneToTheBit(int lanes, Sizes sizes)
    {
        static float Whole(Random random) => MathF.Round(Draw(random) * 4);
        var (expected, actual) = (Run(Plain, sizes, Whole), Run(lanes, sizes, Whole));

        Assert.Equal(expected.Output, actual.Output);
        Assert.Equal(expected.InputGradient, actual.InputGradient);
        Assert.Equal(expected.WeightGradient, actual.WeightGradient);
    }

    private sealed record Results(float[] Output, float[] InputGradient, float[] WeightGradient);

    private static Results Run(int lanes, Sizes sizes, Func<Random, float> draw)
    {
        Extras.LimitVectorLanes(lanes);
        using var scope = NewDisposeScope();
        var random = new Random(1);
        var input = Tensor(sizes.Input).requires_grad_();
        using var conv = Conv2d(sizes.Input[1], sizes.Out, 3, stride: sizes.Stride, padding: 1, bias: sizes.Bias);
        using (no_grad())
        {
            conv.weight.copy_(Tensor(conv.weight.shape));
            conv.bias?.copy_(Tensor(conv.bias.shape));
        }
        Extras.ChannelsLast(conv);
        var output = conv.forward(Extras.ChannelsLast(input));
        (output * Tensor(output.shape)).sum().backward();
        return new(Read(output), Read(input.grad!), Read(conv.weight.grad!));

        Tensor Tensor(long[] shape) => torch.tensor([.. Enumerable.Range(0, (int)shape.Aggregate((a, b) => a * b)).Select(_ => draw(random))], shape);
    }

    private static float Draw(Random random) => random.NextSingle() - 0.5f;

    private static float[] Read(Tensor tensor) => tensor.detach().data<float>().ToArray();

    private static void AssertClose(float[] expected, float[] actual)
    {
        Assert.Equal(expected.Length, actual.Length);
        var scale = expected.Select(Math.Abs).Max();
        for (var i = 0; i < expected.Length; i++) Assert.Equal(expected[i], actual[i], 1e-5 * Math.Max(scale, 1));
    }
}
