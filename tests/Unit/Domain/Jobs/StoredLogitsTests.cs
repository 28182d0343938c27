using Temper.Domain.Calibration;
using Temper.Domain.Jobs;

namespace Temper.Unit.Domain.Jobs;

public class StoredLogitsTests
{
    [Fact]
    public void Of_LogitsOfBothSplits_ComeBackAsTheyWere()
    {
        var (validation, test) = (new LabelledLogits([1, -2.5f, 3e30f, 4], [1, 0], 2), new LabelledLogits([5, 6], [1], 2));

        var stored = StoredLogits.Of(validation, test, [0.75])!;

        Assert.Equal(validation.Logits, stored.Validation().Logits);
        Assert.Equal(validation.Labels, stored.Validation().Labels);
        Assert.Equal(test.Logits, stored.Test().Logits);
        Assert.Equal(test.Labels, stored.Test().Labels);
        Assert.Equal(0.75, Assert.Single(stored.TestTrueProbabilities()!));
    }

    [Theory]
    [InlineData(16_383, true)] // with one validation image exactly 64 MiB
    [InlineData(16_384, false)]
    public void Of_LogitsAtTheCap_AreKeptAndAboveItNot(int images, bool kept)
    {
        const int classes = 1024;
        LabelledLogits Logits(int count) => new(new float[count * classes], new int[count], classes);

        Assert.Equal(kept, StoredLogits.Of(Logits(1), Logits(images), null) is not null);
    }
}
