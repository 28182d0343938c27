namespace Temper.Unit.Kernels;

[Collection(AloneCollection.Name)]
public sealed class ConvReluPoolTests : KernelTest
{
    /// <param name="Input">N×C×H×W.</param>
    public sealed record Sizes(long[] Input, long Out)
    {
        public bool FitKernelsOf(int lanes) => Input[1] == 1 ? Out % 16 == 0 : Input[1] % lanes == 0 && Out % 32 == 0;

        public override string ToString() => $"{string.Join('×', Input)} to {Out}";
    }

    public static TheoryData<int, Sizes, bool> Cases
    {
        get
        {
            Sizes[] sizes =
            [
                new([3, 1, 28, 28], 32),
                new([2, 1, 7, 5], 16),
                new([9, 1, 2, 2], 48), // one channel
                new([4, 32, 14, 14], 64),
                new([2, 32, 28, 28], 64),
                new([3, 16, 9, 7], 32),
                new([1, 32, 2, 3], 96),
                new([2, 16, 33, 31], 64),
                new([19, 16, 6, 6], 32), // Winograd
                new([2, 8, 6, 6], 32),
                new([2, 3, 8, 8], 32),
                new([2, 32, 8, 8], 20), // supported by some kernels or by none
            ];
            var data = new TheoryData<int, Sizes, bool>();
            foreach (var lanes in new[] { Avx2, Avx512 })
            foreach (var size in sizes)
            foreach (var flatten in new[] { false, true })
                data.Add(lanes, size, flatten);
            return data;
        }
    }

    [Fact]
    public void Kernels_OfThisProcessor_AreUsed()
    {
        var flags = File.ReadLines("/proc/cpuinfo").FirstOrDefault(line => line.StartsWith("flags"))?.Split(' ') ?? [];

        Assert.Equal(
            flags.Contains("avx512bw") ? "avx512 kernels"
                : flags.Contains("fma") ? "avx2 kernels"
                : "no kernels",
            KernelLibrary.Description
        );
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Block_OfRealNumbers_EqualsThePlainOne(int lanes, Sizes sizes, bool flatten)
    {
        var values = Draw(sizes, Real);
        var expected = Run(Plain, sizes, values, flatten);

        var actual = Run(lanes, sizes, values, flatten);

        AssertClose(expected.Output, actual.Output);
        AssertClose(expected.InputGradient, actual.InputGradient);
        AssertClose(expected.WeightGradient, actual.WeightGradient);
        AssertClose(expected.BiasGradient, actual.BiasGradient);
        // The kernels sum in another order, so different rounding shows that they ran.
        if (values.Input.Length > 2000)
            Assert.Equal(sizes.FitKernelsOf(lanes) && HasKernels, !expected.WeightGradient.SequenceEqual(actual.WeightGradient));
    }

    /// <summary>Whole numbers give ties in windows, and windows whose maximum is exactly 0.</summary>
    [Theory]
    [MemberData(nameof(Cases))]
    public void Block_OfWholeNumbers_EqualsThePlainOneToTheBit(int lanes, Sizes sizes, bool flatten)
    {
        var values = Draw(sizes, Whole);

        var (expected, actual) = (Run(Plain, sizes, values, flatten), Run(lanes, sizes, values, flatten));

        Assert.Contains(0, expected.Output);
        Assert.Equal(expected.Output, actual.Output);
        Assert.Equal(expected.InputGradient, actual.InputGradient);
        Assert.Equal(expected.WeightGradient, actual.WeightGradient);
        Assert.Equal(expected.BiasGradient, actual.BiasGradient);
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Block_WhereEveryWindowIsDead_GivesZerosAndNoGradients(int lanes, Sizes sizes, bool flatten)
    {
        var values = Draw(sizes, Real);
        Array.Fill(values.Bias, -1000);

        var actual = Run(lanes, sizes, values, flatten);

        Assert.All(
            (float[])[.. actual.Output, .. actual.InputGradient, .. actual.WeightGradient, .. actual.BiasGradient],
            value => Assert.Equal(0, value)
        );
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Block_WithANaN_ShowsItInTheSameWindows(int lanes, Sizes sizes, bool flatten)
    {
        var values = Draw(sizes, Real);
        values.Input[values.Input.Length / 2] = float.NaN;

        var (expected, actual) = (Run(Plain, sizes, values, flatten), Run(lanes, sizes, values, flatten));

        Assert.Contains(float.NaN, expected.Output);
        Assert.Equal(expected.Output.Select(float.IsNaN), actual.Output.Select(float.IsNaN));
    }

    /// <summary>The kernel for one channel does not compute the gradient of the images, so libtorch computes it.</summary>
    [Fact]
    public void Block_OfOneChannelWhoseGradientIsAskedFor_GivesIt()
    {
        var sizes = new Sizes([3, 1, 28, 28], 32);
        var values = Draw(sizes, Whole);

        var (expected, actual) = (
            Run(Plain, sizes, values, imagesNeedGradient: true),
            Run(Avx512, sizes, values, imagesNeedGradient: true)
        );

        Assert.Equal(3 * 28 * 28, expected.InputGradient.Length);
        Assert.Equal(expected.InputGradient, actual.InputGradient);
    }

    [Theory]
    [InlineData(Avx2, 1)]
    [InlineData(Avx2, 2)]
    [InlineData(Avx2, 3)]
    [InlineData(Avx512, 1)]
    [InlineData(Avx512, 3)]
    public void Block_OnTheSameNumberOfThreads_GivesTheSameBits(int lanes, int threads)
    {
        var sizes = new Sizes([37, 32, 14, 14], 64);
        var values = Draw(sizes, Real);
        var expected = Run(Plain, sizes, values);
        Libtorch.UseThreads(threads);

        var (once, again) = (Run(lanes, sizes, values), Run(lanes, sizes, values));

        Assert.Equal(once.WeightGradient, again.WeightGradient);
        Assert.Equal(once.BiasGradient, again.BiasGradient);
        Assert.Equal(once.InputGradient, again.InputGradient);
        AssertClose(expected.WeightGradient, once.WeightGradient);
        AssertClose(expected.BiasGradient, once.BiasGradient);
        AssertClose(expected.InputGradient, once.InputGradient);
    }

    [Theory]
    [InlineData(Avx2)]
    [InlineData(Avx512)]
    public void Block_WithoutAGraph_GivesTheSameBits(int lanes)
    {
        foreach (var sizes in new Sizes[] { new([3, 1, 28, 28], 32), new([3, 32, 14, 14], 64) })
        {
            var values = Draw(sizes, Real);
            var withGraph = Run(lanes, sizes, values).Output;
            using var noGraph = no_grad();

            Assert.Equal(withGraph, Read(Fused.ConvReluPool(ChannelsLast(torch.tensor(values.Input, sizes.Input)), Layer(sizes, values))));
        }
    }

    [Theory]
    [InlineData(5, 1, 2)]
    [InlineData(3, 2, 1)]
    [InlineData(3, 1, 0)]
    public void Block_OfAnotherConvolution_FallsBack(long kernel, long stride, long padding)
    {
        using var conv = Conv2d(32, 32, kernel, stride: stride, padding: padding);
        var images = ChannelsLast(Values(Real, 1, 2, 32, 8, 8));

        Assert.Equal(Read(functional.relu(functional.max_pool2d(conv.forward(images), 2))), Read(Fused.ConvReluPool(images, conv)));
    }

    /// <param name="Slopes">The gradient of the output.</param>
    private sealed record Numbers(float[] Input, float[] Weights, float[] Bias, float[] Slopes);

    /// <param name="InputGradient">Empty if it was not requested.</param>
    private sealed record Results(float[] Output, float[] InputGradient, float[] WeightGradient, float[] BiasGradient);

    private static Numbers Draw(Sizes sizes, Func<long, int, float[]> draw)
    {
        var input = sizes.Input;
        return new(
            draw(Count(input), 1),
            draw(sizes.Out * input[1] * 9, 2),
            draw(sizes.Out, 3),
            draw(input[0] * sizes.Out * (input[2] / 2) * (input[3] / 2), 4)
        );
    }

    private static Results Run(int lanes, Sizes sizes, Numbers values, bool flatten = false, bool? imagesNeedGradient = null)
    {
        KernelLibrary.LimitLanes(lanes);
        var input = torch.tensor(values.Input, sizes.Input);
        if (imagesNeedGradient ?? sizes.Input[1] > 1)
            input.requires_grad_();
        using var conv = Layer(sizes, values);
        var output = Fused.ConvReluPool(ChannelsLast(input), conv, flatten);
        Gradients.Compute((output * torch.tensor(values.Slopes, output.shape)).sum());
        return new(Read(output), Read(input.grad), Read(conv.weight.grad), Read(conv.bias!.grad));
    }

    private static Conv2d Layer(Sizes sizes, Numbers values)
    {
        var conv = Conv2d(sizes.Input[1], sizes.Out, 3, padding: 1);
        using var noGraph = no_grad();
        conv.weight.copy_(torch.tensor(values.Weights, [sizes.Out, sizes.Input[1], 3, 3]));
        conv.bias!.copy_(torch.tensor(values.Bias, [sizes.Out]));
        return conv;
    }
}
