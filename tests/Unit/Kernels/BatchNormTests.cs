namespace Temper.Unit.Kernels;

[Collection(AloneCollection.Name)]
public sealed class BatchNormTests : KernelTest
{
    public sealed record Case(long[] Input, bool Residual, bool Relu)
    {
        public override string ToString() => $"{string.Join('×', Input)}{(Residual ? " + residual" : "")}{(Relu ? ", relu" : "")}";
    }

    public static TheoryData<int, Case> Cases
    {
        get
        {
            var data = new TheoryData<int, Case>();
            foreach (var lanes in new[] { Avx2, Avx512 })
            foreach (var input in new long[][] { [4, 16, 9, 7], [3, 64, 8, 8], [2, 8, 5, 5], [5, 24, 3, 3], [2, 5, 4, 4] })
            foreach (var (residual, relu) in new[] { (false, false), (false, true), (true, false), (true, true) })
                data.Add(lanes, new(input, residual, relu));
            return data;
        }
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Normalization_OfABatch_EqualsThePlainOne(int lanes, Case @case)
    {
        var (expected, actual) = (Run(Plain, @case), Run(lanes, @case));

        AssertClose(expected.Output, actual.Output);
        AssertClose(expected.InputGradient, actual.InputGradient);
        AssertClose(expected.ResidualGradient, actual.ResidualGradient);
        AssertClose(expected.WeightGradient, actual.WeightGradient);
        AssertClose(expected.BiasGradient, actual.BiasGradient);
        AssertClose(expected.RunningMean, actual.RunningMean);
        AssertClose(expected.RunningVariance, actual.RunningVariance);
        AssertClose(expected.Inferred, actual.Inferred);
        Assert.Equal(1, actual.Batches);
        // The kernels sum in another order, so different rounding shows that they ran.
        if (expected.Output.Length > 1000)
            Assert.Equal(@case.Input[1] % 8 == 0 && HasKernels, !expected.InputGradient.SequenceEqual(actual.InputGradient));
    }

    /// <summary>Far from zero, a variance computed from sums of squares would lose its digits.</summary>
    [Fact]
    public void Normalization_OfValuesFarFromZero_KeepsTheirVariance()
    {
        var @case = new Case([4, 16, 9, 7], false, false);
        var (expected, actual) = (Run(Plain, @case, shift: 1000), Run(Avx512, @case, shift: 1000));

        AssertClose(expected.Output, actual.Output, 1e-3);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void Normalization_OnTheSameNumberOfThreads_GivesTheSameBits(int threads)
    {
        Libtorch.UseThreads(threads);
        var @case = new Case([4, 16, 9, 7], true, true);

        var (once, again) = (Run(Avx512, @case), Run(Avx512, @case));

        Assert.Equal(once.Output, again.Output);
        Assert.Equal(once.InputGradient, again.InputGradient);
        Assert.Equal(once.WeightGradient, again.WeightGradient);
        AssertClose(Run(Plain, @case).WeightGradient, once.WeightGradient);
    }

    [Fact]
    public void Relu_OfANaN_IsANaN()
    {
        using var norm = BatchNorm2d(16);
        norm.eval();
        using var noGraph = no_grad();
        var values = new float[16];
        values[3] = float.NaN;

        var output = Read(Fused.BatchNorm(ChannelsLast(torch.tensor(values, [1, 16, 1, 1])), norm, relu: true));

        Assert.Equal(values.Select(float.IsNaN), output.Select(float.IsNaN));
    }

    /// <summary>
    /// libtorch handles what the kernels do not support: another number of channels, no running statistics, a graph in inference.
    /// </summary>
    [Fact]
    public void Normalization_ThatTheKernelsDoNotTake_IsLibtorchs()
    {
        using var norm = BatchNorm2d(16);
        Assert.ThrowsAny<Exception>(() => Fused.BatchNorm(ChannelsLast(torch.zeros(2, 32, 4, 4)), norm));

        using var untracked = BatchNorm2d(16, track_running_stats: false);
        var images = ChannelsLast(Values(Real, 1, 2, 16, 4, 4));
        Assert.Equal(Read(untracked.forward(images)), Read(Fused.BatchNorm(images, untracked)));

        norm.eval();
        var leaf = images.detach().requires_grad_();
        Gradients.Compute(Fused.BatchNorm(leaf, norm, relu: true).sum());
        Assert.NotNull(leaf.grad);
    }

    private sealed record Results(
        float[] Output,
        float[] InputGradient,
        float[] ResidualGradient,
        float[] WeightGradient,
        float[] BiasGradient,
        float[] RunningMean,
        float[] RunningVariance,
        float[] Inferred,
        long Batches
    );

    private static Results Run(int lanes, Case @case, float shift = 0)
    {
        KernelLibrary.LimitLanes(lanes);
        float[] Shifted(long count, int seed) => Array.ConvertAll(Real(count, seed), value => value + 0.1f + shift);
        var input = Values(Shifted, 1, @case.Input).requires_grad_();
        var residual = @case.Residual ? Values(Real, 2, @case.Input).requires_grad_() : null;
        using var norm = BatchNorm2d(@case.Input[1]);
        using (no_grad())
        {
            norm.weight.copy_(Values(Real, 3, @case.Input[1]));
            norm.bias!.copy_(Values(Real, 4, @case.Input[1]));
        }
        var output = Fused.BatchNorm(ChannelsLast(input), norm, residual is null ? null : ChannelsLast(residual), @case.Relu);
        Gradients.Compute((output * Values(Real, 5, @case.Input)).sum());
        norm.eval();
        using var noGraph = no_grad();
        var inferred = Fused.BatchNorm(
            ChannelsLast(input.detach()),
            norm,
            residual is null ? null : ChannelsLast(residual.detach()),
            @case.Relu
        );
        return new(
            Read(output),
            Read(input.grad),
            Read(residual?.grad),
            Read(norm.weight.grad),
            Read(norm.bias!.grad),
            Read(norm.running_mean),
            Read(norm.running_var),
            Read(inferred),
            norm.num_batches_tracked!.item<long>()
        );
    }
}
