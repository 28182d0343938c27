using System.Text.Json;
using System.Text.Json.Nodes;
using FsCheck;
using FsCheck.Fluent;
using Temper.Domain;
using Temper.Domain.Calibration;
using Temper.Domain.Calibration.Calibrators;
using Temper.Domain.Calibration.Measures;
using Temper.Domain.Serialization;
using Temper.Harness;

namespace Temper.Unit.Domain.Calibration.Measures;

/// <summary>Tests what must hold for any logits, and for a simulated model whose truth is known.</summary>
public class MeasurePropertyTests
{
    private static readonly ReportOptions Options = new(Binning.Guo, 15, 0, 0, Measures: true);

    /// <summary>N from 2 to 60, K from 2 to 5.</summary>
    private static readonly Arbitrary<LabelledLogits> AnyLogits = RandomLogits.Of(2, 60, 5);

    [Fact]
    public void Measures_OfAnyLogits_StayWithinTheirBounds() =>
        Holds(logits =>
        {
            var measures = CalibrationReport.Of(logits, logits, null, Options).Measures!;
            var (corp, l2) = (measures.Before.Corp, measures.Before.L2);
            return measures.Refinement.Calibration >= -1e-9 // T is fitted on the same images
                && measures.MaxProbability.Augrc is >= -1e-12 and <= 0.5 + 1e-12
                && measures.MaxProbability.Augrc <= measures.MaxProbability.Aurc + 1e-12
                && corp.Miscalibration >= -1e-12
                && corp.Discrimination >= -1e-12
                && Math.Abs(corp.Score - (corp.Miscalibration - corp.Discrimination + corp.Uncertainty)) < 1e-12
                && corp.Curve.Sum(step => step.Count) == logits.Count
                && corp.Curve.Zip(corp.Curve.Skip(1)).All(pair => pair.First.Probability < pair.Second.Probability)
                && (l2 is null || (l2.Interval.Low <= l2.Value && l2.Value <= l2.Interval.High))
                && (measures.Conformal is null || new[] { measures.Conformal.Before.Split, measures.Conformal.After.Raps }.All(IsPossible));

            bool IsPossible(ConformalMethod method) =>
                method.MeanSize >= 0 && method.MeanSize <= logits.Classes && method.Empty + method.Coverage <= 1 + 1e-12;
        });

    [Fact]
    public void Measures_OrderOfImages_DoesNotMatter() =>
        Holds(logits =>
        {
            var shuffled = Enumerable.Range(0, logits.Count).ToArray();
            new SplitMix64(1, 1).Shuffle<int>(shuffled);
            return Figures(logits).Zip(Figures(logits.At(shuffled))).All(pair => Math.Abs(pair.First - pair.Second) < 1e-7);

            static IEnumerable<double> Figures(LabelledLogits of)
            {
                var predictions = Predictions.Of(of);
                var order = new ConfidenceOrder(predictions.Confidences);
                var l2 = L2Interval.Of(predictions, order, 15);
                var corp = CorpReliability.Of(predictions, order, 0, 0);
                var risk = SelectiveRisk.Of(predictions.Confidences, predictions.Hits);
                // Squares, because a square root near 0 magnifies rounding.
                return
                [
                    l2?.Value * l2?.Value ?? -1,
                    l2?.Interval.High * l2?.Interval.High ?? -1,
                    corp.Miscalibration,
                    corp.Discrimination,
                    risk.Augrc,
                    .. risk.Risks.Select(at => at.Risk),
                    KernelCalibrationError.Of(predictions, 0, 0)!.Value,
                ];
            }
        });

    [Fact]
    public void L2Interval_OfCalibratedAndOverConfidentModels_CoversTheTruth()
    {
        // The simulation of the benchmark `coverage`, with fewer draws.
        const int Trials = 200;
        foreach (var shift in new[] { 0, 0.1 })
        {
            var covered = Enumerable
                .Range(0, Trials)
                .Count(trial =>
                {
                    var predictions = Predictions.Of(ShiftedLogits.By(shift).Draw(1000, trial));
                    var interval = L2Interval.Of(predictions, new(predictions.Confidences), 15)!.Interval;
                    return interval.Low <= shift && shift <= interval.High;
                });

            Assert.InRange(covered / (double)Trials, 0.9, 1);
        }
    }

    [Fact]
    public void KernelCalibrationError_OfACalibratedModel_IsZeroOnAverageAndItsTestRejectsAsOftenAsItSays()
    {
        const int Trials = 100;
        var errors = Enumerable
            .Range(0, Trials)
            .Select(trial => KernelCalibrationError.Of(Predictions.Of(SimulatedLogits.Draw(200, 1, trial)), 99, trial)!)
            .ToList();

        var mean = MeanWithError.Of([.. errors.Select(error => error.Value)]);
        Assert.InRange(mean.Mean, -4 * mean.Error, 4 * mean.Error);
        Assert.Contains(errors, error => error.Value < 0);
        Assert.InRange(errors.Count(error => error.PValue <= 0.1) / (double)Trials, 0.02, 0.2);
    }

    [Fact]
    public void KernelCalibrationError_OfManyImages_TakesSomeAndRejectsAnOverConfidentModel()
    {
        var error = KernelCalibrationError.Of(Predictions.Of(SimulatedLogits.Draw(2000, 1.5, 1)), 99, 0)!;

        Assert.Equal(KernelCalibrationError.MostImages, error.Images);
        Assert.InRange(error.PValue!.Value, 0, 0.05);
        Assert.NotEqual(error.Value, KernelCalibrationError.Of(Predictions.Of(SimulatedLogits.Draw(2000, 1.5, 1)), 0, 1)!.Value);
    }

    [Fact]
    public void ConformalSets_OfManyDraws_HaveTheCoverageTheyPromise()
    {
        const int Trials = 100;
        var sets = Enumerable
            .Range(0, Trials)
            .Select(trial =>
                ConformalSets.Of(SimulatedLogits.Draw(99, 1.5, trial), SimulatedLogits.Draw(200, 1.5, Trials + trial), 1, trial)
            )
            .ToList();

        foreach (Func<ConformalSets, ConformalMethod> method in new Func<ConformalSets, ConformalMethod>[] { s => s.Aps, s => s.Raps })
            Assert.InRange(sets.Average(one => method(one).Coverage), 0.885, 0.915); // 0.9 of 100: exact
        Assert.InRange(sets.Average(one => one.Split.Coverage), 0.885, 0.93); // the model has few distinct probabilities
        Assert.True(sets.Average(one => one.Split.MeanSize) < sets.Average(one => one.Aps.MeanSize));
    }

    [Fact]
    public void ConformalSets_FewestImages_TakeTheLargestScoreAndFewerTakeNone()
    {
        var logits = SimulatedLogits.Draw(40, 1, 1);

        Assert.NotNull(ConformalComparison.Of(logits.At([.. Enumerable.Range(0, 9)]), logits, 0));
        Assert.Null(ConformalComparison.Of(logits.At([.. Enumerable.Range(0, 8)]), logits, 0));
        Assert.Null(ConformalComparison.Of(null, logits.At([.. Enumerable.Range(0, 16)]), 0));
    }

    [Theory]
    [InlineData(1, CalibratorName.None)]
    [InlineData(1.5, CalibratorName.Temperature)]
    public void Calibrators_OfAModelWithOneFault_AreTheSimplestThatRemovesIt(double sharpness, CalibratorName chosen)
    {
        var comparison = CalibratorComparison.Of(null, SimulatedLogits.Draw(2000, sharpness, 3), 0)!;

        Assert.Equal((chosen, "test", 2000), (comparison.Chosen, comparison.Part, comparison.Images));
        Assert.Equal(Enum.GetValues<CalibratorName>(), comparison.Scores.Select(score => score.Name));
    }

    [Fact]
    public void Calibrators_OfAModelWithBiasedClasses_HaveABias()
    {
        var calibrated = SimulatedLogits.Draw(2000, 1, 4);
        var biased = new LabelledLogits(
            [.. calibrated.Logits.Select((logit, i) => logit + (i % calibrated.Classes == 0 ? 2 : 0))],
            calibrated.Labels,
            calibrated.Classes
        );

        Assert.Equal(CalibratorName.BiasCorrectedTemperature, CalibratorComparison.Of(biased, calibrated, 0)!.Chosen);
    }

    [Fact]
    public void Choose_LossesAroundOneStandardError_TakesTheSimplestWithinIt()
    {
        // The differences to the best are d ± 1 in turn, so their standard error over 101 images is 0.1.
        double[] best = new double[101];
        double[] Above(double d) =>
            [
                .. best.Select(
                    (loss, i) =>
                        loss
                        + d
                        + (
                            i == 100 ? 0
                            : i % 2 == 0 ? 1
                            : -1
                        )
                ),
            ];

        var (chosen, least, scores) = CalibratorComparison.Choose([
            Above(0.11),
            Above(0.09),
            Above(0.01),
            best,
            null,
            [.. best.Select(_ => double.PositiveInfinity)],
            Above(1),
        ]);

        Assert.Equal((CalibratorName.Temperature, CalibratorName.Vector), (chosen, least));
        Assert.Equal(0.09, scores[1].Difference!.Value, 1e-9);
        Assert.Equal(0.1, scores[1].DifferenceError!.Value, 1e-3);
        Assert.Null(scores[4].Nll);
        Assert.Contains("Left out", scores[4].Note);
        Assert.Null(scores[5].Nll);
        Assert.Contains("not finite", scores[5].Note);
    }

    /// <summary>Squares of such logits are no numbers of single precision, and their losses are up to 10³⁹ nats.</summary>
    [Fact]
    public void Measures_OfLogitsNearTheLargestFloat_AreNumbersInJson()
    {
        var random = new SplitMix64(1, 1);
        var logits = new LabelledLogits(
            [.. Enumerable.Range(0, 300).Select(_ => (float)random.NextDouble(-3e38, 3e38))],
            [.. Enumerable.Range(0, 100).Select(_ => random.NextInt32(3))],
            3
        );

        var measures = CalibrationReport.Of(null, logits, null, Options with { Resamples = 100 }).Measures!;

        Assert.Empty(measures.Missing);
        Assert.DoesNotContain(Nulls(JsonSerializer.SerializeToNode(measures, Json.Options)!, ""), path => !path.EndsWith(".note"));

        static IEnumerable<string> Nulls(JsonNode? node, string path) =>
            node switch
            {
                null => [path],
                JsonArray list => list.SelectMany((item, i) => Nulls(item, $"{path}[{i}]")),
                JsonObject fields => fields.SelectMany(field => Nulls(field.Value, $"{path}.{field.Key}")),
                _ => [],
            };
    }

    private static void Holds(Func<LabelledLogits, bool> property) =>
        Prop.ForAll(AnyLogits, property).Check(Config.QuickThrowOnFailure.WithMaxTest(50).WithReplay(20260115, 1));
}
