namespace Temper.Unit.Torch;

[Collection(AloneCollection.Name)]
public class FlattenTests
{
    public static TheoryData<int, long, long, long, long> Cases
    {
        get
        {
            var cases = new TheoryData<int, long, long, long, long>();
            foreach (var lanes in new[] { 0, 8 })
                foreach (var (images, channels, height, width) in new (long, long, long, long)[] { (3, 64, 7, 7), (1, 16, 5, 5), (5, 8, 4, 2), (2, 3, 9, 7), (2, 17, 3, 3), (4, 9, 1, 8), (2, 8, 1, 1) })
                    cases.Add(lanes, images, channels, height, width);
            return cases;
        }
    }

    /// <summary>Nothing is rounded, so the two are equal to the bit.</summary>
    [Theory]
    [MemberData(nameof(Cases))]
    public void Flatten_ImagesThatAreChannelsLast_GivesWhatItGivesOfOthers(int lanes, long images, long channels, long height, long width)
    {
        using var scope = NewDisposeScope();
        Extras.LimitVectorLanes(lanes);
        try
        {
            Tensor plain = Numbers(1, images, channels, height, width).requires_grad_(), last = Extras.ChannelsLast(Numbers(1, images, channels, height, width)).requires_grad_();

            Tensor expected = plain.flatten(1), actual = last.flatten(1);
            var weights = Numbers(2, images, channels * height * width);
            (expected * weights).sum().backward();
            (actual * weights).sum().backward();

            Assert.Equal([images, channels * height * width], actual.shape);
            Assert.Equal(expected.data<float>().ToArray(), actual.contiguous().data<float>().ToArray());
            Assert.Equal(plain.grad!.data<float>().ToArray(), last.grad!.contiguous().data<float>().ToArray());
            using (no_grad()) Assert.Equal(expected.data<float>().ToArray(), last.flatten(1).contiguous().data<float>().ToArray());
        }
        finally
        {
            Extras.LimitVectorLanes(16);
        }
    }

    private static Tensor Numbers(int salt, params long[] shape) => torch.tensor(Fixtures.Fixture.Floats(shape.Aggregate((a, b) => a * b), salt), shape);
}
