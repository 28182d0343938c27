using Temper.Domain.Calibration;
using Temper.Domain.Calibration.Calibrators;
using Temper.Domain.Calibration.Measures;
using Temper.Domain.Serialization;
using Temper.Unit.Fixtures;

namespace Temper.Unit.Domain.Calibration.Measures;

/// <summary>Compares every measure with make_measures_fixtures.py, which implements the papers' formulas in NumPy and SciPy.</summary>
public class MeasureTests
{
    private const double Tolerance = 1e-9;

    private sealed record Refined(double Nll, double Refinement, double Calibration, double Low, double High);

    private sealed record Selective(double Aurc, double Augrc, double[] Risks);

    private sealed record Square(double Value, double Low, double High);

    private sealed record Reliability(
        double Score,
        double Miscalibration,
        double Discrimination,
        double Uncertainty,
        double Chance,
        double[] Fitted,
        double[] At,
        double[] Low,
        double[] High
    );

    private sealed record Sets(double Threshold, double Size, double Empty, double Coverage);

    private sealed record Kernel(double Value, double PValue);

    private sealed record Score(string Name, double Nll, double Difference, double Error);

    private sealed record Comparison(string Chosen, string Best, Score[] All);

    private sealed record Case(
        int N,
        int K,
        double Spread,
        double Right,
        long Salt,
        double Step,
        long Seed,
        int Bins,
        int Draws,
        double Temperature,
        Refined Refinement,
        Selective MaxProbability,
        int Power,
        Selective? MaxLogitNorm,
        Square L2,
        Square L2After,
        Reliability Corp,
        Dictionary<string, Sets> Conformal,
        Dictionary<string, Sets> ConformalAfter,
        Dictionary<string, Sets> ConformalHalves,
        Kernel Kernel,
        Comparison Calibrators
    )
    {
        public LabelledLogits Validation => Fixture.Logits(N, K, Spread, Right, Salt, Step);

        public LabelledLogits Test => Fixture.Logits(N, K, Spread, Right, Salt + 3, Step);
    }

    public static TheoryData<int> Cases => [.. Enumerable.Range(0, All.Length)];

    private static Case[] All { get; } = Fixture.Read<Case>("measures.json");

    [Theory, MemberData(nameof(Cases))]
    public void Refinement_WithCalibration_MatchesTheReferenceAndAddsUpToTheNll(int index)
    {
        var expected = All[index];

        var actual = Refinement.Of(Predictions.Of(expected.Test), Predictions.Of(expected.Test, expected.Temperature));

        Near(expected.Refinement.Nll, actual.Nll);
        Near(expected.Refinement.Refinement, actual.Value);
        Near(expected.Refinement.Calibration, actual.Calibration);
        Near(new(expected.Refinement.Low, expected.Refinement.High), actual.CalibrationInterval!.Value);
        Near(actual.Nll, actual.Value + actual.Calibration);
    }

    [Theory, MemberData(nameof(Cases))]
    public void SelectiveRisk_OfBothScores_MatchesTheReference(int index)
    {
        var (expected, test) = (All[index], All[index].Test);
        var predictions = Predictions.Of(test);

        Near(expected.MaxProbability, SelectiveRisk.Of(predictions.Confidences, predictions.Hits));
        if (expected.MaxLogitNorm is null)
            Assert.Null(LogitNorm.Of(expected.Validation, test, predictions.Hits));
        else
        {
            var norm = LogitNorm.Of(expected.Validation, test, predictions.Hits)!;
            Assert.Equal((expected.Power, true), (norm.Power, norm.PowerIsFitted));
            Near(expected.MaxLogitNorm, norm.Selective);
            var unfitted = LogitNorm.Of(null, test, predictions.Hits)!;
            Assert.Equal((5, false), (unfitted.Power, unfitted.PowerIsFitted));
        }

        static void Near(Selective expected, SelectiveRisk actual)
        {
            MeasureTests.Near(expected.Aurc, actual.Aurc);
            MeasureTests.Near(expected.Augrc, actual.Augrc);
            Assert.Equal([0.8, 0.9, 0.95], actual.Risks.Select(risk => risk.Coverage));
            Assert.All(
                expected.Risks.Zip(actual.Risks),
                pair =>
                {
                    MeasureTests.Near(pair.First, pair.Second.Risk);
                    Assert.InRange(pair.Second.Risk, pair.Second.RiskInterval.Low - Tolerance, pair.Second.RiskInterval.High + Tolerance);
                }
            );
        }
    }

    [Theory, MemberData(nameof(Cases))]
    public void L2Interval_BeforeAndAfterTemperature_MatchesTheReference(int index)
    {
        var expected = All[index];
        Same(expected.L2, Predictions.Of(expected.Test));
        Same(expected.L2After, Predictions.Of(expected.Test, expected.Temperature));

        void Same(Square square, Predictions predictions)
        {
            var actual = L2Interval.Of(predictions, new(predictions.Confidences), expected.Bins)!;
            // Squares, because a square root near 0 magnifies rounding.
            Near(Math.Max(square.Value, 0), actual.Value * actual.Value);
            Near(square.Low, actual.Interval.Low * actual.Interval.Low);
            Near(square.High, actual.Interval.High * actual.Interval.High);
        }
    }

    [Theory, MemberData(nameof(Cases))]
    public void Corp_WithItsBand_MatchesTheReference(int index)
    {
        var expected = All[index];
        var predictions = Predictions.Of(expected.Test);
        var order = new ConfidenceOrder(predictions.Confidences);

        var corp = CorpReliability.Of(predictions, order, expected.Draws, expected.Seed);

        Near(expected.Corp.Score, corp.Score);
        Near(expected.Corp.Miscalibration, corp.Miscalibration);
        Near(expected.Corp.Discrimination, corp.Discrimination);
        Near(expected.Corp.Uncertainty, corp.Uncertainty);
        Near(corp.Score, corp.Miscalibration - corp.Discrimination + corp.Uncertainty);
        Near(expected.Corp.Chance, corp.Chance!.Mean);
        Near(expected.Corp.Fitted, [.. corp.Curve.SelectMany(step => Enumerable.Repeat(step.Probability, step.Count))]);
        Near(expected.Corp.At, [.. corp.Band!.Select(at => at.Confidence)]);
        Near(expected.Corp.Low, [.. corp.Band!.Select(at => at.Low)]);
        Near(expected.Corp.High, [.. corp.Band!.Select(at => at.High)]);
        Assert.Null(CorpReliability.Of(predictions, order, 0, 0).Band);
    }

    [Theory, MemberData(nameof(Cases))]
    public void ConformalSets_BeforeAndAfterTemperature_MatchTheReference(int index)
    {
        var (expected, test) = (All[index], All[index].Test);
        Same(expected.Conformal, ConformalSets.Of(expected.Validation, test, 1, expected.Seed));
        Same(expected.ConformalAfter, ConformalSets.Of(expected.Validation, test, expected.Temperature, expected.Seed));
        var halves = ConformalComparison.Of(null, test, expected.Seed)!;
        Same(expected.ConformalHalves, halves.Before);
        Assert.Equal(("testHalf", (expected.N + 1) / 2, expected.N / 2), (halves.Part, halves.CalibrationImages, halves.JudgedImages));

        void Same(Dictionary<string, Sets> sets, ConformalSets actual)
        {
            foreach (var (name, method) in new[] { ("split", actual.Split), ("aps", actual.Aps), ("raps", actual.Raps) })
            {
                Near(sets[name].Threshold, method.Threshold);
                Near(sets[name].Size, method.MeanSize);
                Near(sets[name].Empty, method.Empty);
                Near(sets[name].Coverage, method.Coverage);
            }
        }
    }

    [Theory, MemberData(nameof(Cases))]
    public void KernelCalibrationError_WithItsTest_MatchesTheReference(int index)
    {
        var expected = All[index];

        var actual = KernelCalibrationError.Of(Predictions.Of(expected.Test), expected.Draws, expected.Seed)!;

        Near(expected.Kernel.Value, actual.Value);
        Near(expected.Kernel.PValue, actual.PValue!.Value);
        Assert.Equal(expected.N, actual.Images);
    }

    [Theory, MemberData(nameof(Cases))]
    public void Calibrators_CrossFitted_MatchTheReference(int index)
    {
        var expected = All[index].Calibrators;

        var actual = CalibratorComparison.Of(All[index].Validation, All[index].Test, All[index].Seed)!;

        foreach (var (score, one) in expected.All.Zip(actual.Scores))
        {
            Assert.Equal(score.Name, Json.Name(one.Name));
            Near(score.Nll, one.Nll!.Value);
            Near(score.Difference, one.Difference!.Value);
            Near(score.Error, one.DifferenceError!.Value);
        }
        Assert.Equal((expected.Chosen, expected.Best), (Json.Name(actual.Chosen), Json.Name(actual.Best)));
    }

    private static void Near(double[] expected, double[] actual)
    {
        Assert.Equal(expected.Length, actual.Length);
        Assert.All(expected.Zip(actual), pair => Near(pair.First, pair.Second));
    }

    private static void Near(double expected, double actual) =>
        Assert.True(Math.Abs(expected - actual) <= Tolerance * Math.Max(1, Math.Abs(expected)), $"expected {expected:R}, got {actual:R}");

    private static void Near(Interval expected, Interval actual)
    {
        Near(expected.Low, actual.Low);
        Near(expected.High, actual.High);
    }
}
