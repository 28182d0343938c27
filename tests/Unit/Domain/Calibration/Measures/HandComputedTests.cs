using Temper.Domain.Calibration;
using Temper.Domain.Calibration.Calibrators;
using Temper.Domain.Calibration.Measures;
using Temper.Harness;

namespace Temper.Unit.Domain.Calibration.Measures;

/// <summary>
/// Values that can be computed by hand. The Wilson intervals are from Python, with z = statistics.NormalDist().inv_cdf(0.975):
/// (p + z²/2n ± z·√(p(1 − p)/n + z²/4n²)) / (1 + z²/n).
/// </summary>
public class HandComputedTests
{
    [Fact]
    public void RiskInterval_OfTenImages_IsWilsons()
    {
        // The least certain image and the second most certain one are wrong.
        double[] scores = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1],
            hits = [0, 1, 1, 1, 1, 1, 1, 1, 0, 1];

        var risks = SelectiveRisk.Of(scores, hits).Risks;

        Assert.Equal([(8, 0.125), (9, 0.1111), (10, 0.2)], risks.Select(risk => (risk.Images, Math.Round(risk.Risk, 4))));
        Same(new(0.02241749145005667, 0.47088818221285345), risks[0].RiskInterval);
        Same(new(0.019890887638544935, 0.4349997055766559), risks[1].RiskInterval);
        Same(new(0.056682151454375246, 0.5098375284633582), risks[2].RiskInterval);
    }

    [Fact]
    public void CoverageInterval_Of90Of100Images_IsWilsons()
    {
        // Every image has p = 0.8 for its first class. With 9 images the threshold is the largest score of their labels, 0.2.
        static LabelledLogits Draw(int images, int right) =>
            new(
                [.. Enumerable.Range(0, images).SelectMany(_ => new[] { MathF.Log(4), 0 })],
                [.. Enumerable.Range(0, images).Select(i => i < right ? 0 : 1)],
                2
            );

        var sets = ConformalSets.Of(Draw(9, 9), Draw(100, 90), 1, 0).Split;

        Assert.Equal(0.2, sets.Threshold, 1e-7); // ln 4 is a float32
        Assert.Equal((1, 0, 0.9), (sets.MeanSize, sets.Empty, sets.Coverage));
        Same(new(0.8256343384950865, 0.9447708629393249), sets.CoverageInterval);
    }

    [Fact]
    public void NllError_OfFourLosses_IsTheirDeviationOverTheRootOfTheirNumber()
    {
        // √(Σ(x − 2.5)²/3/4) = √(5/12); the differences to the best are 2 for each image.
        var (_, best, scores) = CalibratorComparison.Choose([
            [3, 4, 5, 6],
            [1, 2, 3, 4],
        ]);

        Assert.Equal((CalibratorName.Temperature, 4.5, 2.5), (best, scores[0].Nll, scores[1].Nll));
        Assert.All(scores, score => Assert.Equal(Math.Sqrt(5 / 12.0), score.NllError!.Value, 1e-12));
        Assert.Equal((2, 0), (scores[0].Difference, scores[0].DifferenceError));
    }

    [Fact]
    public void Corp_OfFourImages_PoolsTheTwoOutOfOrder()
    {
        // Confidences 0.6, 0.7, 0.8, 0.9; the second image is wrong. The curve is ½, ½, 1, 1, with a score of (¼ + ¼)/4.
        double[] confidences = [0.6, 0.7, 0.8, 0.9];
        var logits = new LabelledLogits([.. confidences.SelectMany(p => new[] { (float)Math.Log(p / (1 - p)), 0 })], [0, 1, 0, 0], 2);
        var predictions = Predictions.Of(logits);

        var corp = CorpReliability.Of(predictions, new(predictions.Confidences), 0, 0);

        Assert.Equal(0.175, corp.Score, 1e-6); // (0.16 + 0.49 + 0.04 + 0.01)/4, of float32 logits
        Assert.Equal(0.05, corp.Miscalibration, 1e-6); // 0.175 − 0.125
        Assert.Equal(0.0625, corp.Discrimination, 1e-12); // 0.1875 − 0.125
        Assert.Equal(0.1875, corp.Uncertainty, 1e-12); // ¾·¼
        Assert.Equal([(2, 0.5), (2, 1)], corp.Curve.Select(step => (step.Count, step.Probability)));
    }

    /// <summary>The objective is convex, so a point without a slope is its minimum.</summary>
    [Fact]
    public void StructuredMatrix_Fitted_IsWhereThePenalisedLossHasNoSlope()
    {
        var images = SimulatedLogits.Draw(300, 1.5, 8);
        var (n, k) = (images.Count, images.Classes);
        var fit = (AffineScaling)Calibrator.Fit(CalibratorName.StructuredMatrix, images, 1.4, default);
        double[] at = [.. fit.Matrix, .. fit.Bias];

        double Loss(double[] parameters)
        {
            var loss = 0.0;
            for (var i = 0; i < n; i++)
            {
                var mean = images.Row(i).ToArray().Average(z => (double)z);
                double[] x = [.. images.Row(i).ToArray().Select(z => (z - mean) / 1.4)];
                double[] scores =
                [
                    .. x.Select((own, c) => own + parameters[k * k + c] + x.Select((z, other) => parameters[c * k + other] * z).Sum()),
                ];
                loss += (Math.Log(scores.Sum(Math.Exp)) - scores[images.Labels[i]]) / n;
            }
            for (var p = 0; p < parameters.Length; p++)
                loss += (p >= k * k || p / k == p % k ? k : k * (k - 1)) * parameters[p] * parameters[p] / n;
            return loss;
        }

        for (var p = 0; p < at.Length; p++)
        {
            double Beside(double step) => Loss([.. at.Select((value, q) => q == p ? value + step : value)]);
            Assert.Equal(0, (Beside(1e-4) - Beside(-1e-4)) / 2e-4, 1e-5);
        }
        Assert.True(Loss(new double[at.Length]) - Loss(at) > 1e-4); // against temperature scaling alone
    }

    private static void Same(Interval expected, Interval actual)
    {
        Assert.Equal(expected.Low, actual.Low, 1e-12);
        Assert.Equal(expected.High, actual.High, 1e-12);
    }
}
