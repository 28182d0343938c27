namespace Temper.Unit.Kernels;

[Collection(AloneCollection.Name)]
public sealed class ResidualBlockTests : KernelTest
{
    /// <param name="Input">N×C×H×W.</param>
    /// <param name="Out">Output channels; a number other than the input's needs a shortcut.</param>
    public sealed record Case(long[] Input, long Out, long Stride)
    {
        public bool IsWhole => Stride == 1 && Input[1] == Out;

        public override string ToString() => $"{string.Join('×', Input)} to {Out}{(Stride > 1 ? $" by {Stride}" : "")}";
    }

    public static TheoryData<int, Case> Cases
    {
        get
        {
            Case[] cases =
            [
                new([5, 16, 32, 32], 16, 1),
                new([7, 32, 16, 16], 32, 1),
                new([9, 64, 8, 8], 64, 1),
                new([3, 16, 7, 9], 16, 1),
                new([4, 24, 5, 3], 24, 1),
                new([2, 8, 2, 2], 8, 1),
                new([4, 16, 9, 8], 32, 2),
                new([3, 16, 8, 8], 32, 1),
                new([2, 5, 8, 8], 5, 1),
            ];
            var data = new TheoryData<int, Case>();
            foreach (var lanes in new[] { Avx2, Avx512 })
            foreach (var @case in cases)
                data.Add(lanes, @case);
            return data;
        }
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Block_InBothPasses_EqualsThePlainOne(int lanes, Case @case)
    {
        var (expected, actual) = (Run(Plain, @case), Run(lanes, @case));

        foreach (var ((name, one), (_, other)) in expected.Zip(actual))
        {
            // The gradient of a normalization's input sums to 0, so rounding makes up much of it.
            if (name == "input")
                AssertClose(one, other, 2 * Tolerance);
            else
                AssertClose(one, other);
        }
        // The kernels sum in another order, so different rounding shows that they ran.
        if (expected["output"].Length > 1000)
            Assert.Equal(@case.Out % 8 == 0 && HasKernels, !expected["conv2.weight"].SequenceEqual(actual["conv2.weight"]));
        Assert.Equal([1f, 1], actual["batches"]);
    }

    [Theory]
    [InlineData(Avx2, 1)]
    [InlineData(Avx2, 2)]
    [InlineData(Avx2, 3)]
    [InlineData(Avx512, 3)]
    public void Block_OnTheSameNumberOfThreads_GivesTheSameBits(int lanes, int threads)
    {
        Libtorch.UseThreads(threads);
        foreach (var @case in new Case[] { new([21, 16, 8, 8], 16, 1), new([21, 16, 8, 8], 32, 2) })
        {
            var (expected, once, again) = (Run(Plain, @case), Run(lanes, @case), Run(lanes, @case));

            foreach (var (name, values) in once)
                Assert.Equal(values, again[name]);
            AssertClose(expected["conv2.weight"], once["conv2.weight"]);
        }
    }

    /// <summary>The images need no gradient, as in the first layer of a network.</summary>
    [Fact]
    public void Block_OfImagesWithoutAGradient_HasThoseOfTheWeights()
    {
        float[] Weights(bool imagesGradient)
        {
            using Conv2d conv1 = Conv2d(16, 16, 3, padding: 1, bias: false),
                conv2 = Conv2d(16, 16, 3, padding: 1, bias: false);
            using BatchNorm2d norm1 = BatchNorm2d(16),
                norm2 = BatchNorm2d(16);
            using (no_grad())
                foreach (var (weight, seed) in new[] { (conv1.weight, 5), (conv2.weight, 6) })
                    weight.copy_(Values(Real, seed, weight.shape));
            var images = ChannelsLast(Values(Real, 1, 3, 16, 6, 6)).detach().requires_grad_(imagesGradient);
            Gradients.Compute(Fused.ResidualBlock(images, conv1, norm1, conv2, norm2).square().sum());
            return Read(conv1.weight.grad);
        }

        Assert.Equal(Weights(imagesGradient: true), Weights(imagesGradient: false));
    }

    /// <summary>Far from zero, sums of squares lose their digits unless differences from a mean are summed.</summary>
    [Theory]
    [InlineData(Avx2)]
    [InlineData(Avx512)]
    public void Block_OfValuesFarFromZero_KeepsTheirDeviationAfterSomeSteps(int lanes)
    {
        float[] Run(int limit)
        {
            KernelLibrary.LimitLanes(limit);
            using Conv2d conv1 = Conv2d(16, 16, 3, padding: 1, bias: false),
                conv2 = Conv2d(16, 16, 3, padding: 1, bias: false);
            using BatchNorm2d norm1 = BatchNorm2d(16),
                norm2 = BatchNorm2d(16);
            using (no_grad())
                foreach (var (weight, seed) in new[] { (conv1.weight, 5), (conv2.weight, 6) })
                    weight.copy_(Values(Real, seed, weight.shape));
            var images = ChannelsLast(Values(Real, 1, 8, 16, 6, 6).add(30));
            Tensor output = images;
            for (var i = 0; i < 3; i++)
                output = Fused.ResidualBlock(images, conv1, norm1, conv2, norm2);
            return Read(output);
        }

        AssertClose(Run(Plain), Run(lanes), 1e-5);
    }

    private static Dictionary<string, float[]> Run(int lanes, Case @case)
    {
        KernelLibrary.LimitLanes(lanes);
        long from = @case.Input[1],
            to = @case.Out;
        using Conv2d conv1 = Conv2d(from, to, 3, stride: @case.Stride, padding: 1, bias: false),
            conv2 = Conv2d(to, to, 3, padding: 1, bias: false);
        using BatchNorm2d norm1 = BatchNorm2d(to),
            norm2 = BatchNorm2d(to);
        (string Name, Tensor Values)[] parameters =
        [
            ("conv1.weight", conv1.weight),
            ("conv2.weight", conv2.weight),
            ("norm1.weight", norm1.weight),
            ("norm1.bias", norm1.bias!),
            ("norm2.weight", norm2.weight),
            ("norm2.bias", norm2.bias!),
        ];
        using (no_grad())
            foreach (var ((_, values), seed) in parameters.Select((parameter, i) => (parameter, i + 10)))
                values.copy_(Values(Real, seed, values.shape));
        var input = Values(Real, 1, @case.Input).requires_grad_();
        long[] pooled =
        [
            @case.Input[0],
            to,
            (@case.Input[2] + @case.Stride - 1) / @case.Stride,
            (@case.Input[3] + @case.Stride - 1) / @case.Stride,
        ];
        var shortcut = @case.IsWhole ? null : Values(Real, 2, pooled).requires_grad_();
        Tensor Block() =>
            Fused.ResidualBlock(ChannelsLast(input), conv1, norm1, conv2, norm2, shortcut is null ? null : ChannelsLast(shortcut));

        var output = Block();
        Gradients.Compute((output * Values(Real, 3, output.shape)).sum());
        var results = new Dictionary<string, float[]>
        {
            ["output"] = Read(output),
            ["input"] = Read(input.grad),
            ["shortcut"] = Read(shortcut?.grad),
        };
        foreach (var (name, values) in parameters)
            results[name] = Read(values.grad);
        foreach (var (name, norm) in new[] { ("norm1", norm1), ("norm2", norm2) })
        {
            results[$"{name}.running_mean"] = Read(norm.running_mean);
            results[$"{name}.running_var"] = Read(norm.running_var);
            norm.eval();
        }
        results["batches"] = [norm1.num_batches_tracked!.item<long>(), norm2.num_batches_tracked!.item<long>()];
        using (no_grad())
            results["inferred"] = Read(Block());
        return results;
    }
}
