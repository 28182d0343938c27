using Temper.Domain.Calibration;

namespace Temper.Unit.Domain.Calibration;

public class EvaluationTests
{
    [Fact]
    public void Of_KnownLogits_MatchesValuesByHand()
    {
        // Rows: log-odds of 3:1, classified correctly; equal logits, classified wrongly (the first of equal classes is
        // predicted).
        var (p, q) = (0.75, 0.5);
        var evaluation = Evaluation.Of(new([(float)Math.Log(3), 0, 2, 2], [0, 1], 2));

        Assert.Equal((-Math.Log(p) - Math.Log(q)) / 2, evaluation.Loss, 1e-7);
        Assert.Equal(0.5, evaluation.Accuracy);
        Assert.Equal((p + q) / 2 - 0.5, evaluation.SignedGap, 1e-7);
        Assert.Equal((1 - p + q) / 2, evaluation.Ece, 1e-7);
    }

    [Fact]
    public void Of_GoldenLogits_GivesPyTorchsCrossEntropy() =>
        Assert.Equal(0.34061626981469945, Evaluation.Of(new([2.0f, 0.5f, 0.3f], [0], 3)).Loss, 1e-7);

    [Fact]
    public void Of_LogitsBeyondFloat32Softmax_StaysFinite()
    {
        var evaluation = Evaluation.Of(new([3e38f, -3e38f], [1], 2));

        Assert.Equal(6e38, evaluation.Loss, 1e36);
        Assert.Equal(1, evaluation.Ece);
        Assert.Equal(1, evaluation.SignedGap);
    }

    [Fact]
    public void Of_ConfidentModel_IsNotRoundedToCertainty()
    {
        // exp(−20) is below the resolution of float32 at 1, but not below that of float64.
        var evaluation = Evaluation.Of(new([20, 0], [0], 2));

        Assert.InRange(evaluation.SignedGap, -2.1e-9, -2.0e-9);
    }
}
