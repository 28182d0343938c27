using System.Text.Json;
using Temper.Domain.Calibration;
using Temper.Unit.Fixtures;

namespace Temper.Unit.Domain.Calibration;

/// <summary>
/// Compares every metric with make_calibration_fixtures.py, which implements the papers' formulas in NumPy and SciPy.
/// </summary>
public class ReferenceTests
{
    private const double Tolerance = 1e-9;

    /// <summary>The reference and this project sum in different orders before they choose a bandwidth.</summary>
    private const double SmoothTolerance = 1e-6;

    private sealed record Case(
        int N,
        int K,
        double Spread,
        double Right,
        long Salt,
        double Step,
        int Bins,
        double Temperature,
        Dictionary<string, JsonElement> Before,
        Dictionary<string, JsonElement> After
    )
    {
        public LabelledLogits Draw() => Fixture.Logits(N, K, Spread, Right, Salt, Step);
    }

    private sealed record RelplotFigure(
        double[] Confidences,
        double[] Hits,
        double Value,
        double Bandwidth,
        double Published,
        double Relplot
    );

    public static TheoryData<int> Cases => [.. Enumerable.Range(0, Fixture.Read<Case>("calibration.json").Length)];

    [Theory]
    [MemberData(nameof(Cases))]
    public void Metrics_BeforeAndAfterTemperature_MatchTheReference(int index)
    {
        var expected = Fixture.Read<Case>("calibration.json")[index];
        var logits = expected.Draw();

        Compare(expected.Before, Predictions.Of(logits), expected.Bins);
        Compare(expected.After, Predictions.Of(logits, expected.Temperature), expected.Bins);
    }

    /// <summary>Checks that each field of the report holds the metric of its name.</summary>
    [Theory]
    [MemberData(nameof(Cases))]
    public void Assessment_EveryField_IsTheMetricOfItsName(int index)
    {
        var expected = Fixture.Read<Case>("calibration.json")[index];
        foreach (var (values, temperature) in new[] { (expected.Before, 1), (expected.After, expected.Temperature) })
        {
            var assessment = CalibrationAssessment.Of(expected.Draw(), temperature, null, new(Binning.Guo, expected.Bins, 0, 0));
            var guo = values["guo"];
            (string Name, double Expected, double? Actual)[] fields =
            [
                ("accuracy", values["accuracy"].GetDouble(), assessment.Accuracy.Value),
                ("nll", values["nll"].GetDouble(), assessment.Nll.Value),
                ("brier", values["brier"].GetDouble(), assessment.Brier.Value),
                ("signedGap", values["signedGap"].GetDouble(), assessment.SignedGap.Value),
                ("aurc", values["aurc"].GetDouble(), assessment.Aurc.Value),
                ("ece", guo.GetProperty("ece").GetDouble(), assessment.Ece.Value),
                ("ece debiased", guo.GetProperty("eceDebiased").GetDouble(), assessment.Ece.Debiased),
                ("mce", guo.GetProperty("mce").GetDouble(), assessment.Mce.Value),
                ("mce debiased", guo.GetProperty("mceDebiased").GetDouble(), assessment.Mce.Debiased),
                ("adaptive", values["adaptive"].GetDouble(), assessment.AdaptiveEce.Value),
                ("adaptive debiased", values["adaptiveDebiased"].GetDouble(), assessment.AdaptiveEce.Debiased),
                ("classwise", guo.GetProperty("classwise").GetDouble(), assessment.ClasswiseEce.Value),
                ("classwise debiased", guo.GetProperty("classwiseDebiased").GetDouble(), assessment.ClasswiseEce.Debiased),
                ("l2", values["l2"].GetDouble(), assessment.L2.Value),
                ("smooth", values["smooth"].GetDouble(), assessment.SmoothEce.Value),
            ];
            foreach (var (name, value, actual) in fields)
                Assert.True(
                    Math.Abs(value - actual!.Value) <= (name == "smooth" ? SmoothTolerance : Tolerance),
                    $"{name}: expected {value:R}, got {actual:R}."
                );
            NearSquare(values["l2Debiased"].GetDouble(), assessment.L2.Debiased!.Value);
            Assert.Equal(temperature, assessment.Temperature);
        }
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void TemperatureFit_OnAnyLogits_MatchesTheReference(int index)
    {
        var expected = Fixture.Read<Case>("calibration.json")[index];

        Assert.Equal(expected.Temperature, TemperatureFit.On(expected.Draw()).Temperature, expected.Temperature * 1e-6);
    }

    [Fact]
    public void SmoothEce_OfRelplotsOwnFigure_AgreesWithItsPublishedValue()
    {
        var figure = Fixture.Read<RelplotFigure>("calibration_relplot.json").Single();

        var smooth = SmoothCalibrationError.Of(figure.Confidences, figure.Hits);

        Assert.Equal(figure.Value, smooth.Observed, SmoothTolerance);
        Assert.Equal(figure.Bandwidth, smooth.Bandwidth);
        Assert.Equal(figure.Relplot, smooth.Observed, 1e-4);
        Assert.Equal(figure.Published, smooth.Observed, 1e-4);
    }

    private static void Compare(Dictionary<string, JsonElement> expected, Predictions predictions, int bins)
    {
        var order = new ConfidenceOrder(predictions.Confidences);
        Near("accuracy", predictions.Accuracy);
        Near("nll", predictions.Nll);
        Near("brier", predictions.Brier);
        Near("signedGap", predictions.SignedGap);
        Near("aurc", RiskCoverage.Aurc(order, predictions.Hits));

        var mass = BinSums.EqualMass(predictions.Confidences, predictions.Hits, bins);
        Near("adaptive", CalibrationError.Expected(mass));
        Near("adaptiveDebiased", CalibrationError.DebiasedExpected(mass));
        Near("l2", CalibrationError.L2(mass));
        NearSquare(expected["l2Debiased"].GetDouble(), CalibrationError.DebiasedL2(mass));

        var smooth = SmoothCalibrationError.Of(predictions.Confidences, predictions.Hits);
        Near("smooth", smooth.Observed, SmoothTolerance);
        Assert.Equal(expected["smoothBandwidth"].GetDouble(), smooth.Bandwidth);

        foreach (var binning in Enum.GetValues<Binning>())
        {
            var width = BinSums.EqualWidth(predictions.Confidences, predictions.Hits, bins, binning);
            var classwise = ClasswiseBins.Of(predictions, bins, binning);
            var values = expected[binning.ToString().ToLowerInvariant()];
            Assert.Equal(values.GetProperty("ece").GetDouble(), CalibrationError.Expected(width), Tolerance);
            Assert.Equal(values.GetProperty("mce").GetDouble(), CalibrationError.Maximum(width), Tolerance);
            Assert.Equal(values.GetProperty("eceDebiased").GetDouble(), CalibrationError.DebiasedExpected(width), Tolerance);
            Assert.Equal(values.GetProperty("classwise").GetDouble(), classwise.Expected, Tolerance);
            Assert.Equal(values.GetProperty("classwiseDebiased").GetDouble(), classwise.DebiasedExpected, Tolerance);
            if (binning == Binning.Guo)
                Assert.Equal(values.GetProperty("mceDebiased").GetDouble(), CalibrationError.DebiasedMaximum(width), Tolerance);
        }

        void Near(string name, double actual, double tolerance = Tolerance)
        {
            var value = expected[name].GetDouble();
            Assert.True(Math.Abs(value - actual) <= tolerance, $"{name}: expected {value:R}, got {actual:R}.");
        }
    }

    /// <summary>Compares the squares, because a square root near 0 magnifies rounding.</summary>
    private static void NearSquare(double expected, double actual) => Assert.Equal(expected * expected, actual * actual, Tolerance);
}
