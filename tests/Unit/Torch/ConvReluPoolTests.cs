namespace Temper.Unit.Torch;

/// <summary>The fused block against libtorch's own convolution, pooling and relu.</summary>
[Collection(AloneCollection.Name)]
public sealed class ConvReluPoolTests : IDisposable
{
    private const int Plain = 0, Avx2 = 8, Avx512 = 16;

    private readonly int threads = torch.get_num_threads();

    /// <param name="Input">N×C×H×W.</param>
    public sealed record Sizes(long[] Input, long Out)
    {
        public bool FitKernelsOf(int lanes) => Input[1] == 1 ? Out % 16 == 0 : Input[1] % lanes == 0 && Out % 32 == 0;

        public override string ToString() => $"{string.Join('×', Input)} to {Out}";
    }

    public static TheoryData<int, Sizes> Cases
    {
        get
        {
            Sizes[] sizes =
            [
                new([3, 1, 28, 28], 32), new([2, 1, 7, 5], 16), new([9, 1, 2, 2], 48), // one channel, in one pass
                new([4, 32, 14, 14], 64), new([2, 32, 28, 28], 64), new([3, 16, 9, 7], 32), new([1, 32, 2, 3], 96), new([2, 16, 33, 31], 64), // Winograd
                new([2, 8, 6, 6], 32), new([2, 3, 8, 8], 32), new([2, 32, 8, 8], 20), // not for every kernel, or for none
            ];
            var data = new TheoryData<int, Sizes>();
            foreach (var lanes in new[] { Avx2, Avx512 })
                foreach (var size in sizes) data.Add(lanes, size);
            return data;
        }
    }

    public void Dispose()
    {
        Extras.LimitVectorLanes(Avx512);
        torch.set_num_threads(threads);
    }

    [Fact]
    public void FusedKernels_OfThisMachine_AreUsed()
    {
        var flags = File.ReadLines("/proc/cpuinfo").FirstOrDefault(line => line.StartsWith("flags"))?.Split(' ') ?? [];
        Assert.Equal(flags.Contains("avx512bw") ? "avx512" : flags.Contains("fma") ? "avx2" : "none", Extras.FusedKernels);
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Block_OfRealNumbers_IsThePlainOneToRounding(int lanes, Sizes sizes)
    {
        var values = Values(sizes, Draw);
        var expected = Run(Plain, sizes, values);

        var actual = Run(lanes, sizes, values);

        AssertClose(expected.Output, actual.Output);
        AssertClose(expected.InputGradient, actual.InputGradient);
        AssertClose(expected.WeightGradient, actual.WeightGradient);
        AssertClose(expected.BiasGradient, actual.BiasGradient);
        // Sums of many terms are rounded in another order, which shows that it was the kernels that made them.
        if (values.Input.Length > 2000) Assert.Equal(sizes.FitKernelsOf(lanes) && Extras.FusedKernels != "none", !expected.WeightGradient.SequenceEqual(actual.WeightGradient));
    }

    /// <summary>Whole numbers are summed without rounding, so ties are ties on both paths, and windows are dead at exactly 0.</summary>
    [Theory]
    [MemberData(nameof(Cases))]
    public void Block_OfWholeNumbers_IsThePlainOneToTheBit(int lanes, Sizes sizes)
    {
        var values = Values(sizes, (count, salt) => Array.ConvertAll(Draw(count, salt), value => MathF.Round(value * 4)));

        var (expected, actual) = (Run(Plain, sizes, values), Run(lanes, sizes, values));

        Assert.Contains(0, expected.Output);
        Assert.Equal(expected.Output, actual.Output);
        Assert.Equal(expected.InputGradient, actual.InputGradient);
        Assert.Equal(expected.WeightGradient, actual.WeightGradient);
        Assert.Equal(expected.BiasGradient, actual.BiasGradient);
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Block_WithANaN_ShowsItInTheSameWindows(int lanes, Sizes sizes)
    {
        var values = Values(sizes, Draw);
        values.Input[values.Input.Length / 2] = float.NaN;

        var (expected, actual) = (Run(Plain, sizes, values), Run(lanes, sizes, values));

        Assert.Contains(float.NaN, expected.Output);
        Assert.Equal(expected.Output.Select(float.IsNaN), actual.Output.Select(float.IsNaN));
    }

    [Theory]
    [InlineData(Avx2, 1)]
    [InlineData(Avx2, 3)]
    [InlineData(Avx512, 1)]
    [InlineData(Avx512, 3)]
    public void Block_OnAsManyThreads_GivesTheSameBits(int lanes, int count)
    {
        var sizes = new Sizes([7, 32, 14, 14], 64);
        var values = Values(sizes, Draw);
        var expected = Run(Plain, sizes, values);
        torch.set_num_threads(count);

        var (once, again) = (Run(lanes, sizes, values), Run(lanes, sizes, values));

        Assert.Equal(once.WeightGradient, again.WeightGradient);
        Assert.Equal(once.BiasGradient, again.BiasGradient);
        Assert.Equal(once.InputGradient, again.InputGradient);
        AssertClose(expected.WeightGradient, once.WeightGradient);
    }

    [Theory]
    [InlineData(Avx2)]
    [InlineData(Avx512)]
    public void Block_WithoutAGraph_GivesTheSameBits(int lanes)
    {
        foreach (var sizes in new Sizes[] { new([3, 1, 28, 28], 32), new([3, 32, 14, 14], 64) })
        {
            var values = Values(sizes, Draw);
            var withGraph = Run(lanes, sizes, values).Output;
            using var noGraph = no_grad();

            Assert.Equal(withGraph, Forward(lanes, sizes, values));
        }
    }

    /// <summary>From −0.5 to 0.5.</summary>
    private static float[] Draw(int count, int seed)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, count).Select(_ => random.NextSingle() - 0.5f)];
    }

    private sealed record Numbers(float[] Input, float[] Weights, float[] Bias, float[] Slopes);

    /// <param name="InputGradient">Empty for one input channel: the first layer's images have none.</param>
    private sealed record Results(float[] Output, float[] InputGradient, float[] WeightGradient, float[] BiasGradient);

    private static Numbers Values(Sizes sizes, Func<int, int, float[]> draw)
    {
        var input = sizes.Input;
        var weights = (int)(sizes.Out * input[1] * 9);
        return new(
            draw((int)input.Aggregate((a, b) => a * b), 1), draw(weights, 2), draw((int)sizes.Out, 3), draw((int)(input[0] * sizes.Out * (input[2] / 2) * (input[3] / 2)), 4));
    }

    private static Results Run(int lanes, Sizes sizes, Numbers values)
    {
        Extras.LimitVectorLanes(lanes);
        using var scope = NewDisposeScope();
        var input = torch.tensor(values.Input, sizes.Input);
        if (sizes.Input[1] > 1) input.requires_grad_();
        using var conv = Layer(sizes, values);
        var output = Extras.ConvReluPool(Extras.ChannelsLast(input), conv);
        (output * torch.tensor(values.Slopes, output.shape)).sum().backward();
        return new(Read(output), input.grad is { } gradient ? Read(gradient) : [], Read(conv.weight.grad!), Read(conv.bias!.grad!));
    }

    private static float[] Forward(int lanes, Sizes sizes, Numbers values)
    {
        Extras.LimitVectorLanes(lanes);
        using var scope = NewDisposeScope();
        using var conv = Layer(sizes, values);
        return Read(Extras.ConvReluPool(Extras.ChannelsLast(torch.tensor(values.Input, sizes.Input)), conv));
    }

    private static Temper.Torch.Modules.Conv2d Layer(Sizes sizes, Numbers values)
    {
        var conv = Conv2d(sizes.Input[1], sizes.Out, 3, padding: 1);
        using (no_grad())
        {
            conv.weight.copy_(torch.tensor(values.Weights, [sizes.Out, sizes.Input[1], 3, 3]));
            conv.bias!.copy_(torch.tensor(values.Bias, [sizes.Out]));
        }
        Extras.ChannelsLast(conv);
        return conv;
    }

    private static float[] Read(Tensor tensor) => tensor.detach().data<float>().ToArray();

    private static void AssertClose(float[] expected, float[] actual)
    {
        Assert.Equal(expected.Length, actual.Length);
        var scale = expected.Select(Math.Abs).DefaultIfEmpty(1).Max();
        for (var i = 0; i < expected.Length; i++) Assert.Equal(expected[i], actual[i], 1e-5 * Math.Max(scale, 1));
    }
}
