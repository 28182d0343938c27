using Temper.Torch.Modules;

namespace Temper.Unit.Torch;

/// <summary>The fused normalization against libtorch's own, with an addition and relu after it.</summary>
[Collection(AloneCollection.Name)]
public sealed class BatchNormTests : IDisposable
{
    private const int Plain = 0;

    private readonly int threads = torch.get_num_threads();

    public sealed record Case(long[] Input, bool Residual, bool Relu)
    {
        public override string ToString() => $"{string.Join('×', Input)}{(Residual ? " + residual" : "")}{(Relu ? ", relu" : "")}";
    }

    public static TheoryData<int, Case> Cases
    {
        get
        {
            var data = new TheoryData<int, Case>();
            foreach (var lanes in new[] { 8, 16 })
                foreach (var input in new long[][] { [4, 16, 9, 7], [3, 64, 8, 8], [2, 8, 5, 5], [5, 24, 3, 3], [2, 5, 4, 4] })
                    foreach (var (residual, relu) in new[] { (false, false), (false, true), (true, false), (true, true) }) data.Add(lanes, new(input, residual, relu));
            return data;
        }
    }

    public void Dispose()
    {
        Extras.LimitVectorLanes(16);
        torch.set_num_threads(threads);
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Normalization_OfABatch_IsThePlainOneToRounding(int lanes, Case @case)
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
        // Sums of many terms are rounded in another order, which shows that it was the kernels that made them.
        if (expected.Output.Length > 1000) Assert.Equal(@case.Input[1] % 8 == 0 && Extras.FusedKernels != "none", !expected.InputGradient.SequenceEqual(actual.InputGradient));
    }

    /// <summary>Far from zero, squares of the values would lose the variance.</summary>
    [Fact]
    public void Normalization_OfValuesFarFromZero_KeepsTheirVariance()
    {
        var (expected, actual) = (Run(Plain, new([4, 16, 9, 7], false, false), shift: 1000), Run(16, new([4, 16, 9, 7], false, false), shift: 1000));

        for (var i = 0; i < expected.Output.Length; i++) Assert.Equal(expected.Output[i], actual.Output[i], 2e-3);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    public void Normalization_OnAsManyThreads_GivesTheSameBits(int count)
    {
        torch.set_num_threads(count);
        var @case = new Case([4, 16, 9, 7], true, true);

        var (once, again) = (Run(16, @case), Run(16, @case));

        Assert.Equal(once.Output, again.Output);
        Assert.Equal(once.InputGradient, again.InputGradient);
        Assert.Equal(once.WeightGradient, again.WeightGradient);
        AssertClose(Run(Plain, @case).WeightGradient, once.WeightGradient);
    }

    [Fact]
    public void Relu_OfANaN_IsANaN()
    {
        using var scope = NewDisposeScope();
        using var norm = BatchNorm2d(16);
        norm.eval();
        using var noGraph = no_grad();
        var values = new float[16];
        values[3] = float.NaN;

        var output = Extras.BatchNorm(Extras.ChannelsLast(torch.tensor(values, [1, 16, 1, 1])), norm, relu: true).data<float>().ToArray();

        Assert.Equal(values.Select(float.IsNaN), output.Select(float.IsNaN));
    }

    private sealed record Results(
        float[] Output, float[] InputGradient, float[] ResidualGradient, float[] WeightGradient, float[] BiasGradient, float[] RunningMean, float[] RunningVariance, float[] Inferred);

    private static Results Run(int lanes, Case @case, float shift = 0)
    {
        Extras.LimitVectorLanes(lanes);
        using var scope = NewDisposeScope();
        var random = new Random(1);
        var input = Draw(random, @case.Input, shift).requires_grad_();
        var residual = @case.Residual ? Draw(random, @case.Input, 0).requires_grad_() : null;
        using var norm = BatchNorm2d(@case.Input[1]);
        using (no_grad())
        {
            norm.weight.copy_(Draw(random, [@case.Input[1]], 0));
            norm.bias.copy_(Draw(random, [@case.Input[1]], 0));
        }
        var output = Extras.BatchNorm(Extras.ChannelsLast(input), norm, residual is null ? null : Extras.ChannelsLast(residual), @case.Relu);
        (output * Draw(random, @case.Input, 0)).sum().backward();
        norm.eval();
        using var noGraph = no_grad();
        var inferred = Extras.BatchNorm(Extras.ChannelsLast(input.detach()), norm, residual is null ? null : Extras.ChannelsLast(residual.detach()), @case.Relu);
        return new(Read(output), Read(input.grad!), residual is null ? [] : Read(residual.grad!), Read(norm.weight.grad!), Read(norm.bias.grad!), Read(norm.running_mean), Read(norm.running_var), Read(inferred));
    }

    private static Tensor Draw(Random random, long[] shape, float shift) =>
        torch.tensor([.. Enumerable.Range(0, (int)shape.Aggregate((a, b) => a * b)).Select(_ => random.NextSingle() - 0.4f + shift)], shape);

    private static float[] Read(Tensor tensor) => tensor.detach().data<float>().ToArray();

    private static void AssertClose(float[] expected, float[] actual)
    {
        Assert.Equal(expected.Length, actual.Length);
        var scale = expected.Select(Math.Abs).DefaultIfEmpty(1).Max();
        for (var i = 0; i < expected.Length; i++) Assert.Equal(expected[i], actual[i], 1e-5 * Math.Max(scale, 1));
    }
}
