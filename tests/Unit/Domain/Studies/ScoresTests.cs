using Temper.Domain.Calibration;
using Temper.Domain.Calibration.Measures;
using Temper.Domain.Jobs;
using Temper.Domain.Studies;
using Temper.Harness;

namespace Temper.Unit.Domain.Studies;

public class ScoresTests
{
    private static readonly LabelledLogits Validation = SimulatedLogits.Draw(600, 2, 1),
        Test = SimulatedLogits.Draw(900, 2, 2);

    private static readonly Scores Scores = Scores.Of(Validation, Test);

    [Fact]
    public void Of_Logits_AgreesWithTheCalibrationReport()
    {
        var report = CalibrationReport.Of(Validation, Test, null, new(Binning.Guo, 15, 0, 0));

        Assert.Equal(report.TemperatureFit.Temperature, Scores.Temperature);
        Assert.Equal(report.Before.Accuracy.Value, Scores.Test.Accuracy);
        Assert.Equal(report.Before.Nll.Value, Scores.Test.Nll);
        Assert.Equal(report.Before.Brier.Value, Scores.Test.Brier);
        Assert.Equal(report.Before.Ece.Value, Scores.Test.Ece);
        Assert.Equal(report.Before.SignedGap.Value, Scores.Test.SignedGap);
        Assert.Equal(report.Before.Aurc.Value, Scores.Test.Aurc);
        Assert.Equal(report.After.Nll.Value, Scores.Test.NllAfterTemperature, 1e-12);
        Assert.Equal(report.After.Ece.Value, Scores.Test.EceAfterTemperature);
        Assert.Equal(report.Before.Ece.Debiased, Scores.Test.DebiasedEce);
        Assert.Equal(report.Before.SmoothEce.Value, Scores.Test.SmoothEce);
        Assert.Equal(report.After.Ece.Debiased, Scores.Test.DebiasedEceAfterTemperature);
        Assert.Equal(report.After.SmoothEce.Value, Scores.Test.SmoothEceAfterTemperature);
        Assert.Equal(SelectiveRisk.Of(Predictions.Of(Test).Confidences, Predictions.Of(Test).Hits).Augrc, Scores.Test.Augrc);
        Assert.Equal(Evaluation.Of(Validation).Loss, Scores.Validation.Nll);
        Assert.Equal(Evaluation.Of(Validation).Ece, Scores.Validation.Ece);
    }

    [Fact]
    public void Of_Validation_JudgesEachHalfByTheOthersTemperature()
    {
        var halves = new[] { Half(0), Half(1) };
        double Nll(int judged) => Predictions.Of(halves[judged], TemperatureFit.On(halves[1 - judged]).Temperature).Nll;

        Assert.Equal((Nll(0) + Nll(1)) / 2, Scores.Validation.NllAfterTemperature, 1e-12);
        // A temperature fitted on the same images on which it is judged would give a lower value.
        Assert.True(Scores.Validation.NllAfterTemperature > TemperatureFit.On(Validation).NllAfter);
        Assert.True(Scores.Validation.NllAfterTemperature < Scores.Validation.Nll);
        Assert.True(Scores.Validation.EceAfterTemperature < Scores.Validation.Ece);
        Assert.True(Scores.Validation.DebiasedEceAfterTemperature < Scores.Validation.DebiasedEce);
        Assert.True(Scores.Validation.SmoothEceAfterTemperature < Scores.Validation.SmoothEce);
    }

    [Fact]
    public void Of_AHalfWithoutAMistake_DoesNotSharpenTheOtherBeyondAllBounds()
    {
        // Two classes, 40 images, and one mistake, in the half that is judged by the other half's temperature.
        var logits = new LabelledLogits(
            [.. Enumerable.Range(0, 40).SelectMany(_ => new[] { 3f, 0f })],
            [.. Enumerable.Range(0, 40).Select(i => i == 1 ? 1 : 0)],
            2
        );

        var scores = Scores.Of(logits, Test);

        Assert.InRange(scores.Validation.NllAfterTemperature, 0, 2 * scores.Validation.Nll);
    }

    /// <summary>A smoothed and a plain model that differ only in a factor of their logits and are never wrong.</summary>
    [Fact]
    public void Of_ValidationWithoutAMistake_ComparesArmsAfterTheReportsTemperature()
    {
        static LabelledLogits Never(float gap) =>
            new([.. Enumerable.Range(0, 40).SelectMany(i => new[] { gap + i % 4 / 4f * gap, 0f })], new int[40], 2);
        var (smoothed, plain) = (Scores.Of(Never(1), Test), Scores.Of(Never(2), Test));

        Assert.Equal(TemperatureFit.On(Never(1)).Temperature, smoothed.Temperature);
        Assert.InRange(smoothed.Temperature, 0.1, 0.9);
        Assert.True(smoothed.Validation.Nll > 2 * plain.Validation.Nll);
        Assert.Equal(plain.Validation.NllAfterTemperature, smoothed.Validation.NllAfterTemperature, 1e-6);
        Assert.Equal(plain.Validation.EceAfterTemperature, smoothed.Validation.EceAfterTemperature, 1e-6);
    }

    [Fact]
    public void Of_AnOddNumberOfImages_CountsEachOnce()
    {
        var odd = SimulatedLogits.Draw(7, 1, 3);

        var scores = Scores.Of(odd, Test);

        Assert.Equal(Predictions.Of(odd).Accuracy, scores.Validation.Accuracy);
        Assert.True(double.IsFinite(scores.Validation.NllAfterTemperature));
    }

    [Theory]
    [InlineData(Criterion.NllAfterTemperature)]
    [InlineData(Criterion.Nll)]
    [InlineData(Criterion.Ece)]
    [InlineData(Criterion.EceAfterTemperature)]
    [InlineData(Criterion.Brier)]
    [InlineData(Criterion.Accuracy)]
    [InlineData(Criterion.DebiasedEce)]
    [InlineData(Criterion.SmoothEce)]
    [InlineData(Criterion.DebiasedEceAfterTemperature)]
    [InlineData(Criterion.SmoothEceAfterTemperature)]
    public void LossBy_EachCriterion_IsItsOwnFigureAndLowerIsBetter(Criterion criterion)
    {
        var scores = new SplitScores(0.9, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11);

        Assert.Equal(
            criterion switch
            {
                Criterion.NllAfterTemperature => 6,
                Criterion.Nll => 1,
                Criterion.Ece => 3,
                Criterion.EceAfterTemperature => 7,
                Criterion.Brier => 2,
                Criterion.DebiasedEce => 8,
                Criterion.SmoothEce => 9,
                Criterion.DebiasedEceAfterTemperature => 10,
                Criterion.SmoothEceAfterTemperature => 11,
                _ => 0.1,
            },
            scores.LossBy(criterion)!.Value,
            1e-12
        );
    }

    private static LabelledLogits Half(int first)
    {
        var rows = Enumerable.Range(0, Validation.Count).Where(i => i % 2 == first).ToArray();
        return new([.. rows.SelectMany(i => Validation.Row(i).ToArray())], [.. rows.Select(i => Validation.Labels[i])], Validation.Classes);
    }
}
