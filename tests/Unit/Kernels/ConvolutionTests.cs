namespace Temper.Unit.Kernels;

[Collection(AloneCollection.Name)]
public sealed class ConvolutionTests : KernelTest
{
    public sealed record Sizes(long[] Input, long Out, bool Bias = false, long Stride = 1)
    {
        public bool FitKernels => !Bias && Stride == 1 && Input[1] % 8 == 0 && Out % 8 == 0;

        public override string ToString() =>
            $"{string.Join('×', Input)} to {Out}{(Bias ? " with bias" : "")}{(Stride > 1 ? $" by {Stride}" : "")}";
    }

    public static TheoryData<int, Sizes> Cases
    {
        get
        {
            Sizes[] sizes =
            [
                new([3, 16, 32, 32], 16),
                new([2, 32, 16, 16], 32),
                new([2, 64, 8, 8], 64),
                new([2, 16, 7, 9], 48),
                new([1, 8, 5, 6], 24),
                new([2, 16, 1, 1], 16),
                new([2, 48, 3, 2], 32),
                new([21, 16, 4, 4], 16),
                new([2, 3, 8, 8], 16),
                new([2, 16, 8, 8], 16, Bias: true),
                new([2, 16, 8, 8], 32, Stride: 2), // computed by libtorch
            ];
            var data = new TheoryData<int, Sizes>();
            foreach (var lanes in new[] { Avx2, Avx512 })
            foreach (var size in sizes)
                data.Add(lanes, size);
            return data;
        }
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Convolution_OfRealNumbers_EqualsThePlainOne(int lanes, Sizes sizes)
    {
        var (expected, actual) = (Run(Plain, sizes, Real), Run(lanes, sizes, Real));

        AssertClose(expected.Output, actual.Output);
        AssertClose(expected.InputGradient, actual.InputGradient);
        AssertClose(expected.WeightGradient, actual.WeightGradient);
        // The kernels sum in another order, so different rounding shows that they ran.
        if (expected.Output.Length > 1000)
            Assert.Equal(sizes.FitKernels && HasKernels, !expected.Output.SequenceEqual(actual.Output));
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Convolution_OfWholeNumbers_EqualsThePlainOneToTheBit(int lanes, Sizes sizes)
    {
        var (expected, actual) = (Run(Plain, sizes, Whole), Run(lanes, sizes, Whole));

        Assert.Equal(expected.Output, actual.Output);
        Assert.Equal(expected.InputGradient, actual.InputGradient);
        Assert.Equal(expected.WeightGradient, actual.WeightGradient);
    }

    [Theory]
    [InlineData(Avx2, 1)]
    [InlineData(Avx2, 3)]
    [InlineData(Avx512, 2)]
    public void Convolution_OnTheSameNumberOfThreads_GivesTheSameBits(int lanes, int threads)
    {
        var sizes = new Sizes([11, 16, 9, 7], 32);
        var expected = Run(Plain, sizes, Real);
        Libtorch.UseThreads(threads);

        var (once, again) = (Run(lanes, sizes, Real), Run(lanes, sizes, Real));

        Assert.Equal(once.WeightGradient, again.WeightGradient);
        Assert.Equal(once.InputGradient, again.InputGradient);
        AssertClose(expected.WeightGradient, once.WeightGradient);
    }

    [Fact]
    public void Convolution_WithANaN_ShowsItWhereThePlainOneDoesOrInTheSameTile()
    {
        using var noGraph = no_grad();
        using var conv = Conv2d(16, 16, 3, padding: 1, bias: false);
        var values = Real(Count(1, 16, 8, 8), 1);
        values[3 * 8 + 3] = float.NaN; // channel 0, row 3, column 3
        var images = ChannelsLast(torch.tensor(values, [1, 16, 8, 8]));

        var (plain, kernels) = (Nan(Plain), Nan(Avx512));

        Assert.Equal(9, plain.Count); // in each channel the pixels around it
        Assert.Superset(plain, kernels); // Winograd's tiles are 2×2, so whole tiles become NaN
        Assert.True(kernels.Count <= 16);

        HashSet<int> Nan(int lanes)
        {
            KernelLibrary.LimitLanes(lanes);
            return
            [
                .. Read(Fused.Convolution(images, conv))
                    .Take(64)
                    .Select((value, i) => (value, i))
                    .Where(one => float.IsNaN(one.value))
                    .Select(one => one.i),
            ];
        }
    }

    [Fact]
    public void Convolution_WhoseWeightsAreFrozen_GivesOnlyTheImagesGradient()
    {
        using var conv = Conv2d(16, 16, 3, padding: 1, bias: false);
        conv.weight.requires_grad_(false);
        var images = ChannelsLast(Values(Real, 1, 2, 16, 4, 4)).detach().requires_grad_();

        Gradients.Compute(Fused.Convolution(images, conv).sum());

        Assert.NotNull(images.grad);
        Assert.Null(conv.weight.grad);
    }

    private sealed record Results(float[] Output, float[] InputGradient, float[] WeightGradient);

    private static Results Run(int lanes, Sizes sizes, Func<long, int, float[]> draw)
    {
        KernelLibrary.LimitLanes(lanes);
        var input = Values(draw, 1, sizes.Input).requires_grad_();
        using var conv = Conv2d(sizes.Input[1], sizes.Out, 3, stride: sizes.Stride, padding: 1, bias: sizes.Bias);
        using (no_grad())
        {
            conv.weight.copy_(Values(draw, 2, conv.weight.shape));
            conv.bias?.copy_(Values(draw, 3, conv.bias.shape));
        }
        var output = Fused.Convolution(ChannelsLast(input), conv);
        Gradients.Compute((output * Values(draw, 4, output.shape)).sum());
        return new(Read(output), Read(input.grad), Read(conv.weight.grad));
    }
}
