namespace Temper.Unit.Kernels;

[Collection(AloneCollection.Name)]
public sealed class FlattenTests : KernelTest
{
    public static TheoryData<int, long[]> Cases
    {
        get
        {
            var cases = new TheoryData<int, long[]>();
            foreach (var lanes in new[] { Plain, Avx2 })
            foreach (
                var shape in new long[][]
                {
                    [3, 64, 7, 7],
                    [1, 16, 5, 5],
                    [5, 8, 4, 2],
                    [2, 3, 9, 7],
                    [2, 17, 3, 3],
                    [4, 9, 1, 8],
                    [2, 8, 1, 1],
                }
            )
                cases.Add(lanes, shape);
            return cases;
        }
    }

    /// <summary>The operation does not round, so both results are equal to the bit.</summary>
    [Theory]
    [MemberData(nameof(Cases))]
    public void Flatten_ImagesThatAreChannelsLast_EqualsThatOfOtherImages(int lanes, long[] shape)
    {
        KernelLibrary.LimitLanes(lanes);
        Tensor plain = Values(Real, 1, shape).requires_grad_(),
            last = ChannelsLast(Values(Real, 1, shape)).requires_grad_();

        Tensor expected = plain.flatten(1),
            actual = Fused.Flatten(last);
        var slopes = Values(Real, 2, actual.shape);
        Gradients.Compute((expected * slopes).sum());
        Gradients.Compute((actual * slopes).sum());

        Assert.Equal([shape[0], shape[1] * shape[2] * shape[3]], actual.shape);
        Assert.Equal(Read(expected), Read(actual));
        Assert.Equal(Read(plain.grad), Read(last.grad));
        using (no_grad())
            Assert.Equal(Read(expected), Read(Fused.Flatten(last)));
    }
}
