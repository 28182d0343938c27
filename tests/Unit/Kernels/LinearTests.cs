namespace Temper.Unit.Kernels;

[Collection(AloneCollection.Name)]
public sealed class LinearTests : KernelTest
{
    public sealed record Case(long Rows, long Inputs, long Outputs, bool Bias, bool Relu)
    {
        public override string ToString() => $"{Rows}×{Inputs} to {Outputs}{(Bias ? "" : " without bias")}{(Relu ? ", relu" : "")}";
    }

    public static TheoryData<int, Case> Cases
    {
        get
        {
            var data = new TheoryData<int, Case>();
            foreach (var lanes in new[] { Avx2, Avx512 })
            foreach (
                var (rows, inputs, outputs) in new (long, long, long)[]
                {
                    (128, 3136, 128),
                    (7, 128, 10),
                    (1, 1, 1),
                    (33, 17, 47),
                    (12, 700, 16),
                    (5, 64, 100),
                    (64, 300, 64),
                }
            )
            foreach (var (bias, relu) in new[] { (true, true), (true, false), (false, true) })
                data.Add(lanes, new(rows, inputs, outputs, bias, relu));
            return data;
        }
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Linear_OfRealNumbers_EqualsThePlainOne(int lanes, Case @case)
    {
        var (expected, actual) = (Run(Plain, @case, Real), Run(lanes, @case, Real));

        AssertClose(expected.Output, actual.Output);
        AssertClose(expected.RowsGradient, actual.RowsGradient);
        AssertClose(expected.WeightGradient, actual.WeightGradient);
        AssertClose(expected.BiasGradient, actual.BiasGradient);
        // The kernels sum in another order, so different rounding shows that they ran.
        if (@case.Inputs > 1000)
            Assert.Equal(HasKernels, !expected.Output.SequenceEqual(actual.Output));
    }

    [Theory]
    [InlineData(3, 4, 0)]
    [InlineData(0, 4, 3)]
    public void Linear_OfNothing_EqualsThePlainOne(long rows, long inputs, long outputs)
    {
        using var linear = Linear(inputs, outputs);

        Assert.Equal([rows, outputs], Fused.Linear(torch.ones(rows, inputs), linear).shape);
    }

    /// <summary>The outputs include exact zeros, at which relu passes no gradient.</summary>
    [Theory]
    [MemberData(nameof(Cases))]
    public void Linear_OfWholeNumbers_EqualsThePlainOneToTheBit(int lanes, Case @case)
    {
        var (expected, actual) = (Run(Plain, @case, Whole), Run(lanes, @case, Whole));

        Assert.Equal(expected.Output, actual.Output);
        Assert.Equal(expected.RowsGradient, actual.RowsGradient);
        Assert.Equal(expected.WeightGradient, actual.WeightGradient);
        Assert.Equal(expected.BiasGradient, actual.BiasGradient);
    }

    [Theory]
    [InlineData(Avx2, 1)]
    [InlineData(Avx2, 3)]
    [InlineData(Avx512, 2)]
    public void Linear_OnAnyNumberOfThreads_GivesTheSameBits(int lanes, int threads)
    {
        var @case = new Case(33, 700, 47, true, true);
        var once = Run(lanes, @case, Real);
        Libtorch.UseThreads(threads);

        var again = Run(lanes, @case, Real);

        Assert.Equal(once.Output, again.Output);
        Assert.Equal(once.RowsGradient, again.RowsGradient);
        Assert.Equal(once.WeightGradient, again.WeightGradient);
        Assert.Equal(once.BiasGradient, again.BiasGradient);
    }

    [Fact]
    public void Relu_OfANaN_IsANaNAndPassesItsGradient()
    {
        using var linear = Linear(2, 3);
        var rows = torch.tensor([1f, float.NaN], [1, 2]).requires_grad_();

        var output = Fused.Linear(rows, linear, relu: true);
        Gradients.Compute(output.sum());

        Assert.All(Read(output), value => Assert.True(float.IsNaN(value)));
        Assert.Equal(1, Read(linear.bias!.grad)[0]);
    }

    [Fact]
    public void Linear_OfAnotherNumberOfInputs_ThrowsLibtorchsMessage()
    {
        using var linear = Linear(5, 4);

        var error = Assert.ThrowsAny<Exception>(() => Fused.Linear(torch.zeros(2, 3), linear));

        Assert.Contains("shapes cannot be multiplied (2x3 and 5x4)", error.Message);
    }

    private sealed record Results(float[] Output, float[] RowsGradient, float[] WeightGradient, float[] BiasGradient);

    private static Results Run(int lanes, Case @case, Func<long, int, float[]> draw)
    {
        KernelLibrary.LimitLanes(lanes);
        var rows = Values(draw, 1, @case.Rows, @case.Inputs).requires_grad_();
        using var linear = Linear(@case.Inputs, @case.Outputs, @case.Bias);
        using (no_grad())
        {
            linear.weight.copy_(Values(draw, 2, @case.Outputs, @case.Inputs));
            linear.bias?.copy_(Values(draw, 3, @case.Outputs));
        }
        var output = Fused.Linear(rows, linear, @case.Relu);
        Gradients.Compute((output * Values(draw, 4, @case.Rows, @case.Outputs)).sum());
        return new(Read(output), Read(rows.grad), Read(linear.weight.grad), Read(linear.bias?.grad));
    }
}
