using FsCheck;
using FsCheck.Fluent;
using Temper.Domain;
using Temper.Domain.Calibration;

namespace Temper.Unit.Domain.Calibration;

/// <summary>Tests properties that hold for any logits.</summary>
public class PropertyTests
{
    /// <summary>N from 1 to 80, K from 2 to 6.</summary>
    private static readonly Arbitrary<LabelledLogits> AnyLogits = RandomLogits.Of(1, 80, 6);

    [Fact]
    public void Assessment_OrderOfImages_DoesNotMatter() =>
        Holds(logits =>
        {
            var shuffled = Enumerable.Range(0, logits.Count).ToArray();
            new SplitMix64(1, 1).Shuffle<int>(shuffled);
            var (one, other) = (
                Assess(logits),
                Assess(
                    new([.. shuffled.SelectMany(i => logits.Row(i).ToArray())], [.. shuffled.Select(i => logits.Labels[i])], logits.Classes)
                )
            );
            return Figures(one).Zip(Figures(other)).All(pair => Math.Abs(pair.First - pair.Second) < 1e-7);
        });

    [Fact]
    public void Assessment_AnyFigure_StaysWithinItsBounds() =>
        Holds(logits =>
        {
            var assessment = Assess(logits);
            ErrorEstimate[] errors =
            [
                assessment.Ece,
                assessment.Mce,
                assessment.AdaptiveEce,
                assessment.ClasswiseEce,
                assessment.L2,
                assessment.SmoothEce,
            ];
            return errors.All(error => error.Value is >= 0 and <= 1.0000001 && error.Debiased is null or >= 0)
                && assessment.Accuracy.Value is >= 0 and <= 1
                && assessment.Nll.Value >= 0
                && assessment.Brier.Value is >= 0 and <= 2
                && assessment.SignedGap.Value is >= -1 and <= 1
                && assessment.Aurc.Value is >= 0 and <= 1;
        });

    [Fact]
    public void Ece_AnyBinning_IsAtMostMceAndAtLeastTheGap() =>
        Holds(logits =>
            Enum.GetValues<Binning>()
                .All(binning =>
                {
                    var assessment = Assess(logits, binning);
                    return assessment.Ece.Value <= assessment.Mce.Value + 1e-12
                        && assessment.Ece.Value >= Math.Abs(assessment.SignedGap.Value) - 1e-12;
                })
        );

    [Fact]
    public void Temperature_OfTheFit_KeepsAccuracyAndNeverRaisesValidationNll() =>
        Holds(logits =>
        {
            var fit = TemperatureFit.On(logits);
            var (before, after) = (Predictions.Of(logits), Predictions.Of(logits, fit.Temperature));
            return before.Accuracy == after.Accuracy
                && after.Nll <= before.Nll + 1e-12
                && Math.Abs(fit.NllBefore - before.Nll) < 1e-9
                && Math.Abs(fit.NllAfter - after.Nll) < 1e-9
                && fit.Temperature is >= TemperatureFit.Smallest and <= TemperatureFit.Largest;
        });

    [Fact]
    public void EqualMass_AnyLogits_BinsDifferByAtMostOne() =>
        Holds(logits =>
        {
            var predictions = Predictions.Of(logits);
            return Enumerable
                .Range(1, 20)
                .All(bins =>
                {
                    var counts = BinSums.EqualMass(predictions.Confidences, predictions.Hits, bins).Select(bin => bin.Count).ToArray();
                    return counts.Max() - counts.Min() <= 1 && counts.Sum() == logits.Count;
                });
        });

    private static void Holds(Func<LabelledLogits, bool> property) =>
        Prop.ForAll(AnyLogits, property).Check(Config.QuickThrowOnFailure.WithMaxTest(300).WithReplay(20260115, 1));

    private static CalibrationAssessment Assess(LabelledLogits logits, Binning binning = Binning.Guo) =>
        CalibrationAssessment.Of(logits, 1, null, new(binning, 15, 0, 0));

    private static double[] Figures(CalibrationAssessment a) =>
        [
            a.Accuracy.Value,
            a.Nll.Value,
            a.Brier.Value,
            a.SignedGap.Value,
            a.Aurc.Value,
            a.Ece.Value,
            a.Mce.Value,
            a.AdaptiveEce.Value,
            a.ClasswiseEce.Value,
            a.L2.Value,
            a.SmoothEce.Value,
        ];
}
