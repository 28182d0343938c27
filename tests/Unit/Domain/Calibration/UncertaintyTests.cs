using Temper.Domain;
using Temper.Domain.Calibration;
using Temper.Domain.Calibration.Measures;
using Temper.Harness;

namespace Temper.Unit.Domain.Calibration;

/// <summary>
/// Tests intervals and the consistency test against simulated truth. bench/coverage does the same at full size.
/// </summary>
public class UncertaintyTests
{
    private const int Trials = 150,
        Images = 2000,
        Resamples = 200;

    [Fact]
    public void Bootstrap_ManyDrawsFromAKnownTruth_CoversItAsOftenAsItSays()
    {
        var truth = SimulatedLogits.Truth(1.5);
        int accuracy = 0,
            nll = 0,
            gap = 0;
        for (var trial = 0; trial < Trials; trial++)
        {
            var predictions = Predictions.Of(SimulatedLogits.Draw(Images, 1.5, trial));
            var intervals = Bootstrap.Of(predictions, new(predictions.Confidences), Resamples, trial);
            if (Covers(intervals.Accuracy, truth.Accuracy))
                accuracy++;
            if (Covers(intervals.Nll, truth.Nll))
                nll++;
            if (Covers(intervals.SignedGap, truth.SignedGap))
                gap++;
        }

        // 95 % of 150 is 142.5, with a standard deviation of 2.7. Only the full-size run can distinguish 95 % from 90 %.
        Assert.All(new[] { accuracy, nll, gap }, covered => Assert.InRange(covered, 135, Trials - 1));
    }

    [Fact]
    public void ConsistencyTest_OfACalibratedModel_SeldomRejectsIt()
    {
        var rejected = 0;
        for (var trial = 0; trial < Trials; trial++)
            if (PValue(SimulatedLogits.Draw(Images, 1, trial), trial) < Verdict.Level)
                rejected++;

        Assert.InRange(rejected, 1, 18); // 5 % of 150 is 7.5, with a standard deviation of 2.7
    }

    [Fact]
    public void ConsistencyTest_OfAnOverConfidentModel_RejectsIt() =>
        Assert.All(Enumerable.Range(0, 20), trial => Assert.True(PValue(SimulatedLogits.Draw(Images, 1.5, trial), trial) < 0.01));

    [Fact]
    public void Chance_OfACalibratedModel_HoldsWhatIsSeen()
    {
        var predictions = Predictions.Of(SimulatedLogits.Draw(Images, 1, 1));
        var errors = new CalibrationErrors(predictions, 15, Binning.Guo);
        var chance = ConsistencyTest.Of(predictions, errors, 1000, 0);

        Assert.InRange(errors.Ece, chance.Ece.Band.Low, chance.Ece.Band.High);
        Assert.InRange(CalibrationError.Maximum(errors.EqualWidth), chance.Mce.Band.Low, chance.Mce.Band.High);
        Assert.InRange(CalibrationError.Expected(errors.EqualMass), chance.AdaptiveEce.Band.Low, chance.AdaptiveEce.Band.High);
        Assert.InRange(errors.Classwise.Expected, chance.ClasswiseEce.Band.Low, chance.ClasswiseEce.Band.High);
        Assert.InRange(CalibrationError.L2(errors.EqualMass), chance.L2.Band.Low, chance.L2.Band.High);
        Assert.InRange(errors.SmoothEce, chance.SmoothEce.Band.Low, chance.SmoothEce.Band.High);
    }

    [Fact]
    public void Interval_OfKnownDraws_IsTheirMiddle95()
    {
        double[] draws = [.. Enumerable.Range(0, 1001).Select(i => (double)(i * 10 % 1001))];

        Assert.Equal(new Interval(25, 975), Interval.Middle95(draws));
        Assert.Equal(new Interval(0.025, 0.975), Interval.Middle95([0, 1])); // interpolated between order statistics
    }

    [Fact]
    public void PValue_NoDrawAsLargeOrAllOfThem_CountsTheOneSeen()
    {
        // The first model is more over-confident than any draw. The second is certain and always right, so every draw is the
        // same.
        Assert.Equal(1.0 / 201, PValue(SimulatedLogits.Draw(Images, 3, 0), 0), 1e-12);
        Assert.Equal(1, PValue(new([1000, 0, 1000, 0], [0, 0], 2), 0));
    }

    [Fact]
    public void Chance_OfFourEqualImages_IsTheBinomialByHand()
    {
        // Four images at confidence 0.75: hits ~ Bin(4, 0.75), so E|hits/4 − 0.75| = Σ P(h)·|h − 3|/4.
        var logit = (float)Math.Log(3);
        var predictions = Predictions.Of(new([logit, 0, logit, 0, logit, 0, logit, 0], [0, 0, 0, 1], 2));
        var chance = ConsistencyTest.Of(predictions, new(predictions, 15, Binning.Guo), 20_000, 0);

        var expected = Enumerable
            .Range(0, 5)
            .Sum(h => new[] { 1, 4, 6, 4, 1 }[h] * Math.Pow(0.75, h) * Math.Pow(0.25, 4 - h) * Math.Abs(h - 3) / 4.0);
        Assert.Equal(expected, chance.Ece.Mean, 0.005);
        Assert.Equal(expected, chance.ClasswiseEce.Mean, 0.005);
        Assert.Equal(expected, chance.Mce.Mean, 0.005);
        Assert.Equal(0, chance.SignedGap.Mean, 0.005);
        Assert.Equal(1, chance.Ece.Band.High * 4 / 2, 1e-6); // two hits fewer than three
    }

    [Fact]
    public void Debiased_OfCalibratedModels_IsNearerToTheTruth()
    {
        double raw = 0,
            debiased = 0;
        for (var trial = 0; trial < 40; trial++)
        {
            var assessment = CalibrationAssessment.Of(SimulatedLogits.Draw(Images, 1, trial), 1, null, new(Binning.Guo, 15, 0, 0));
            raw += assessment.Ece.Value;
            debiased += assessment.Ece.Debiased!.Value;
        }

        Assert.InRange(debiased / raw, 0, 0.75);
    }

    [Fact]
    public void Report_NoiseFreeReceiptAndBins_AreWhatTheyAreCalled()
    {
        // Two images at confidence exactly 0.5, which is an edge of ten bins but not of fifteen. One is classified correctly; the
        // true probabilities are 0.5 and 1.
        var logits = new LabelledLogits([1, 1, 1, 1], [0, 1], 2);
        var report = CalibrationReport.Of(logits, logits, [0.5, 1], new(Binning.Guo, 10, 0, 0));

        Assert.Equal((0.25, -0.25), (report.Before.NoiseFree!.Ece, report.Before.NoiseFree.SignedGap));
        Assert.Equal((0.0, 0.0), (report.Before.Ece.Value, report.Before.SignedGap.Value));
        Assert.Equal((2, 0), (report.Conventions.OnEdges, report.Conventions.AtOne));
        Assert.Contains("2 confidences lie on an inner edge", report.Conventions.Why);
        var bin = report.Before.Reliability[4];
        Assert.Equal((0.4, 0.5, 2, 0.5, 0.5), (bin.Lower, bin.Upper, bin.Count, bin.MeanConfidence!.Value, bin.Accuracy!.Value));
        Assert.Null(report.Before.Reliability[5].Accuracy);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(10)]
    [InlineData(50)]
    public void Verdict_OfAFewCertainImagesThatAreRight_IsThatTheyAreTooFew(int images)
    {
        var logits = new LabelledLogits([.. Enumerable.Range(0, images).SelectMany(_ => new float[] { 8, 0 })], new int[images], 2);

        Assert.Equal(VerdictName.InsufficientData, CalibrationAssessment.Of(logits, 1, null, new(Binning.Guo, 15, 1000, 0)).Verdict!.Name);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    public void Verdict_OfAFewErrorsAmongCertainImages_IsOverConfident(int errors)
    {
        var logits = new LabelledLogits(
            [.. Enumerable.Range(0, 2000).SelectMany(_ => new float[] { 14, 0 })],
            [.. Enumerable.Range(0, 2000).Select(i => i < errors ? 1 : 0)],
            2
        );

        Assert.Equal(VerdictName.OverConfident, CalibrationAssessment.Of(logits, 1, null, new(Binning.Guo, 15, 1000, 0)).Verdict!.Name);
    }

    [Fact]
    public void AnyStep_Cancelled_Stops()
    {
        var logits = SimulatedLogits.Draw(5000, 1, 7);
        var predictions = Predictions.Of(logits);
        var errors = new CalibrationErrors(predictions, 15, Binning.Guo);
        var none = new CancellationToken(true);

        Action[] steps =
        [
            () => TemperatureFit.On(logits, none),
            () => Predictions.Of(logits, 1, none),
            () => ClasswiseBins.Of(predictions, 15, Binning.Guo, none),
            () => SmoothCalibrationError.Of(predictions.Confidences, predictions.Hits, none),
            () => Bootstrap.Of(predictions, errors.Order, 100, 0, none),
            () => ConsistencyTest.Of(predictions, errors, 100, 0, none),
            () => CalibrationReport.Of(logits, logits, null, new(Binning.Guo, 15, 100, 0), none),
            () => CalibrationReport.Of(null, logits, null, new(Binning.Guo, 15, 0, 0), none),
        ];
        Assert.All(steps, step => Assert.ThrowsAny<OperationCanceledException>(step));
    }

    /// <summary>The steps take minutes, and much longer than the time after which they are cancelled.</summary>
    [Fact]
    public void LongSteps_CancelledWhileTheyRun_Stop()
    {
        var predictions = Predictions.Of(SimulatedLogits.Draw(100_000, 1, 7));
        var errors = new CalibrationErrors(predictions, 15, Binning.Guo);

        Action<CancellationToken>[] steps =
        [
            token => Bootstrap.Of(predictions, errors.Order, 500_000, 0, token),
            token => ConsistencyTest.Of(predictions, errors, 500_000, 0, token),
        ];
        foreach (var step in steps)
        {
            using var source = new CancellationTokenSource(TimeSpan.FromMilliseconds(50));
            Assert.ThrowsAny<OperationCanceledException>(() => step(source.Token));
        }
    }

    /// <summary>Many resamples are computed together, on several cores. Here each is one more data set.</summary>
    [Theory]
    [InlineData(5, 15)]
    [InlineData(40, 200)]
    public void ConsistencyTest_ManyResamples_AreDataSetsWithLabelsDrawnOneByOne(int classes, int bins)
    {
        const int Draws = 70;
        var logits = classes == 5 ? SimulatedLogits.Draw(300, 1.2, 5) : DrawAny(300, classes); // the first of 64 kinds: with ties
        var (predictions, probabilities) = (Predictions.Of(logits), SimulatedLogits.Probabilities(logits));
        var errors = new CalibrationErrors(predictions, bins, Binning.Guo);
        var random = new SplitMix64(9, 2);
        var drawn = Enumerable
            .Range(0, Draws)
            .Select(_ =>
            {
                var labels = new int[logits.Count];
                for (var i = 0; i < labels.Length; i++)
                {
                    int[] order =
                    [
                        predictions.Predicted[i],
                        .. Enumerable.Range(0, logits.Classes).Where(k => k != predictions.Predicted[i]),
                    ];
                    var (u, k) = (random.NextDouble(), 0);
                    while (k + 1 < order.Length && (u -= probabilities[i * logits.Classes + order[k]]) >= 0)
                        k++;
                    labels[i] = order[k];
                }
                return Predictions.Of(new(logits.Logits, labels, logits.Classes));
            })
            .ToList();

        var test = ConsistencyTest.Of(predictions, errors, Draws, 9);

        BinSums[] EqualWidth(Predictions of) => BinSums.EqualWidth(of.Confidences, of.Hits, bins, Binning.Guo);
        BinSums[] EqualMass(Predictions of) => BinSums.EqualMass(of.Confidences, of.Hits, bins);
        Same(test.Ece, of => CalibrationError.Expected(EqualWidth(of)));
        Same(test.Mce, of => CalibrationError.Maximum(EqualWidth(of)));
        Same(test.AdaptiveEce, of => CalibrationError.Expected(EqualMass(of)));
        Same(test.L2, of => CalibrationError.L2(EqualMass(of)));
        Same(test.ClasswiseEce, of => ClasswiseBins.Of(of, bins, Binning.Guo).Expected);
        Same(test.SmoothEce, SmoothEce);
        Same(test.SignedGap, of => of.SignedGap);

        double SmoothEce(Predictions of) // with the bandwidth of the observed hits
        {
            var hitMasses = new double[errors.Smooth.GridPoints];
            for (var i = 0; i < of.Count; i++)
            {
                var (left, leftShare, rightShare) = errors.Smooth.Place(of.Confidences[i]);
                hitMasses[left] += leftShare * of.Hits[i];
                hitMasses[left + 1] += rightShare * of.Hits[i];
            }
            return errors.Smooth.Value(hitMasses);
        }

        void Same(Chance chance, Func<Predictions, double> figure)
        {
            var expected = Chance.Of([.. drawn.Select(figure)]);
            Assert.Equal(expected.Mean, chance.Mean, 1e-9);
            Assert.Equal(expected.Limit!.Value, chance.Limit!.Value, 1e-9);
            Same95(expected.Band, chance.Band);
        }
    }

    private static LabelledLogits DrawAny(int count, int classes)
    {
        var random = new SplitMix64(7, 3);
        return new(
            [.. Enumerable.Range(0, count * classes).Select(_ => (float)random.NextDouble(-3, 3))],
            [.. Enumerable.Range(0, count).Select(_ => random.NextInt32(classes))],
            classes
        );
    }

    [Fact]
    public void Bootstrap_ManyResamples_AreDataSetsOfImagesDrawnOneByOne()
    {
        const int Draws = 40;
        var logits = SimulatedLogits.Draw(300, 1.2, 5);
        var predictions = Predictions.Of(logits);
        var order = new ConfidenceOrder(predictions.Confidences);
        var random = new SplitMix64(9, 1);
        var drawn = Enumerable
            .Range(0, Draws)
            .Select(_ => Enumerable.Range(0, logits.Count).Select(_ => order.Index[random.NextInt32(logits.Count)]).ToArray())
            .Select(images =>
                Predictions.Of(
                    new([.. images.SelectMany(i => logits.Row(i).ToArray())], [.. images.Select(i => logits.Labels[i])], logits.Classes)
                )
            )
            .ToList();

        var bootstrap = Bootstrap.Of(predictions, order, Draws, 9);

        Same(bootstrap.Accuracy, of => of.Accuracy);
        Same(bootstrap.Nll, of => of.Nll);
        Same(bootstrap.Brier, of => of.Brier);
        Same(bootstrap.SignedGap, of => of.SignedGap);
        Same(bootstrap.Aurc, of => RiskCoverage.Aurc(new(of.Confidences), of.Hits));

        void Same(Interval interval, Func<Predictions, double> figure) => Same95(Interval.Middle95([.. drawn.Select(figure)]), interval);
    }

    private static void Same95(Interval expected, Interval actual)
    {
        Assert.Equal(expected.Low, actual.Low, 1e-9);
        Assert.Equal(expected.High, actual.High, 1e-9);
    }

    [Theory]
    [InlineData(2000, 1.5, VerdictName.OverConfident, "Over-confident: mean confidence is above accuracy by 0.", "rejects too")]
    [InlineData(2000, 0.5, VerdictName.UnderConfident, "Under-confident: mean confidence is below accuracy by 0.", "rejects too")]
    [InlineData(20000, 1, VerdictName.Calibrated, "Calibrated, as far as these images can tell: ECE is 0.", "finds nothing either")]
    [InlineData(50, 1, VerdictName.InsufficientData, "Insufficient data: ECE is 0.", "finds nothing either")]
    public void Verdict_OfAKnownTruth_IsRight(int images, double sharpness, VerdictName name, string start, string second)
    {
        var verdict = CalibrationAssessment.Of(SimulatedLogits.Draw(images, sharpness, 6), 1, null, new(Binning.Guo, 15, 1000, 0)).Verdict!;

        Assert.Equal(name, verdict.Name);
        Assert.StartsWith(start, verdict.Sentence);
        var part = images > KernelCalibrationError.MostImages ? ", 1000 of the images" : "";
        Assert.EndsWith($"; the kernel test of all 5 classes {second} (p = {verdict.Kernel!.PValue:0.0####}{part}).", verdict.Sentence);
    }

    /// <summary>
    /// The probabilities of the second and the third class are exchanged: that of the first is the true one for every image, and those
    /// of the others are not.
    /// </summary>
    [Fact]
    public void Verdict_OfAModelWhoseLargestProbabilityAloneIsCalibrated_SaysThatTheOthersAreNot()
    {
        var calibrated = SimulatedLogits.Draw(20000, 1, 6);
        var logits = (float[])calibrated.Logits.Clone();
        for (var i = 0; i < calibrated.Count; i++)
        {
            var row = logits.AsSpan(i * calibrated.Classes, calibrated.Classes);
            var byLogit = Enumerable.Range(0, calibrated.Classes).OrderByDescending(k => calibrated.Row(i)[k]).ToArray();
            (row[byLogit[1]], row[byLogit[2]]) = (row[byLogit[2]], row[byLogit[1]]);
        }

        var assessment = CalibrationAssessment.Of(
            new(logits, calibrated.Labels, calibrated.Classes),
            1,
            Predictions.Of(calibrated).Confidences,
            new(Binning.Guo, 15, 1000, 0)
        );

        var verdict = assessment.Verdict!;
        Assert.Equal(0, assessment.NoiseFree!.Ece, 1e-12);
        Assert.Equal((VerdictName.Calibrated, 1 / 1001.0), (verdict.Name, verdict.Kernel!.PValue));
        Assert.StartsWith("The largest probability is calibrated, as far as these images can tell: ECE is 0.", verdict.Sentence);
        Assert.EndsWith(
            " in 95 % of cases; the probabilities of all 5 classes together are not calibrated "
                + "(kernel test, p = 0.001, 1000 of the images).",
            verdict.Sentence
        );
    }

    [Fact]
    public void Verdict_OfCalibratedModels_IsDoubtedByEachTestAsSeldomAsItsLevelSays()
    {
        const int Draws = 200;
        int byKernel = 0,
            byEither = 0;
        for (var draw = 0; draw < Draws; draw++)
        {
            var verdict = CalibrationAssessment.Of(SimulatedLogits.Draw(200, 1, draw), 1, null, new(Binning.Guo, 15, 199, draw)).Verdict!;
            if (verdict.Kernel!.PValue < Verdict.Level)
                byKernel++;
            if (verdict.PValue < Verdict.Level || verdict.Kernel.PValue < Verdict.Level)
                byEither++;
        }

        // With 199 resamples a p-value is below 5 % in 4.5 % of cases: 9 of 200, with a standard deviation of 2.9; by either test at
        // most twice as often.
        Assert.InRange(byKernel, 1, 19);
        Assert.InRange(byEither, byKernel, 33);
    }

    /// <summary>The test at 5 % is one-sided: it rejects values above the limit, even those within the middle 95 %.</summary>
    [Fact]
    public void Verdict_OfModelsNearTheLimit_RejectsJustWhatLiesAboveIt()
    {
        var within = 0;
        var clauses = new HashSet<string>();
        for (var trial = 0; trial < 200; trial++)
        {
            var assessment = CalibrationAssessment.Of(
                SimulatedLogits.Draw(500, 1.12, trial),
                1,
                null,
                new(Binning.Guo, 15, Resamples, trial)
            );
            var (verdict, ece) = (assessment.Verdict!, assessment.Ece);
            var rejected = verdict.Name is not (VerdictName.Calibrated or VerdictName.InsufficientData);

            Assert.Equal(rejected, ece.Value > ece.Chance!.Limit + 1e-12);
            Assert.Contains(
                $"ECE is {ece.Value:0.0000}, and chance alone would give {ece.Chance.Limit:0.0000} or less in 95 % of cases",
                verdict.Sentence
            );
            if (rejected && ece.Value < ece.Chance.Band.High)
                within++;
            var clause = (rejected, verdict.Kernel!.PValue < Verdict.Level) switch
            {
                (false, false) => "; the kernel test of all 5 classes finds nothing either (p = ",
                (false, true) => "; the probabilities of all 5 classes together are not calibrated (kernel test, p = ",
                (true, false) => "; the kernel test of all 5 classes does not reject (p = ",
                (true, true) => "; the kernel test of all 5 classes rejects too (p = ",
            };
            Assert.EndsWith($"{clause}{verdict.Kernel.PValue:0.0####}).", verdict.Sentence);
            clauses.Add(clause);
        }
        Assert.InRange(within, 1, 50); // these are rejected although the band contains them
        Assert.Equal(4, clauses.Count);
    }

    [Theory]
    [InlineData(18, null)]
    [InlineData(20, 0.19)]
    [InlineData(100, 0.95)]
    [InlineData(139, 1.33)]
    [InlineData(1000, 9.5)]
    public void Limit_OfKnownDraws_IsTheLargestThatIsNotRejected(int draws, double? limit)
    {
        // p = (1 + number of draws at least as large) / (1 + draws), below 5 %.
        Assert.Equal(limit, Chance.Of([.. Enumerable.Range(0, draws).Select(i => i / 100.0)]).Limit);
    }

    [Fact]
    public void Verdict_WhoseGapsIntervalCoversNone_SaysWhatMadeItSure()
    {
        // One error among 2000 images at confidence .9999992: many bootstrap resamples contain no error.
        var logits = new LabelledLogits(
            [.. Enumerable.Range(0, 2000).SelectMany(_ => new float[] { 14, 0 })],
            [.. Enumerable.Range(0, 2000).Select(i => i < 1 ? 1 : 0)],
            2
        );

        var verdict = CalibrationAssessment.Of(logits, 1, null, new(Binning.Guo, 15, 1000, 0)).Verdict!;

        Assert.StartsWith(
            "Over-confident: mean confidence is above accuracy by 0.0005 (chance alone would give a gap of 0.0000 to 0.0000); ",
            verdict.Sentence
        );
    }

    [Fact]
    public void Verdict_ErrorsThatCancelOverTheBins_IsBothWays()
    {
        // Half the images have confidence 0.6 and are always right; half have 0.9 and are right half of the time. The mean gap is
        // 0.
        var logits = Enumerable.Range(0, 2000).SelectMany(i => new[] { (float)Math.Log(i % 2 == 0 ? 0.6 / 0.4 : 0.9 / 0.1), 0 }).ToArray();
        var labels = Enumerable.Range(0, 2000).Select(i => i % 2 == 0 || i % 4 == 1 ? 0 : 1).ToArray();

        var verdict = CalibrationAssessment.Of(new(logits, labels, 2), 1, null, new(Binning.Guo, 15, 1000, 0)).Verdict!;

        Assert.Equal(VerdictName.MiscalibratedBothWays, verdict.Name);
    }

    [Fact]
    public void Report_SameSeed_IsTheSameAndAnotherSeedIsNot()
    {
        var logits = SimulatedLogits.Draw(500, 1.2, 7);
        CalibrationReport Report(long seed) => CalibrationReport.Of(logits, logits, null, new(Binning.Guo, 15, 200, seed));

        Assert.Equal(Report(1).Before.Nll.Interval, Report(1).Before.Nll.Interval);
        Assert.Equal(Report(1).After.Ece.Chance, Report(1).After.Ece.Chance);
        Assert.NotEqual(Report(1).Before.Nll.Interval, Report(2).Before.Nll.Interval);
    }

    [Theory]
    [InlineData(8, 10, 0.4901625, 0.9433178)] // computed by hand from Wilson's formula
    [InlineData(0, 10, 0, 0.2775328)]
    [InlineData(10, 10, 0.7224672, 1)]
    [InlineData(1, 1, 0.2065493, 1)]
    public void Wilson_KnownShares_MatchesValuesByHand(int hits, int count, double low, double high)
    {
        var interval = Interval.Wilson(hits, count);

        Assert.Equal(low, interval.Low, 1e-6);
        Assert.Equal(high, interval.High, 1e-6);
    }

    private static double PValue(LabelledLogits logits, long seed)
    {
        var predictions = Predictions.Of(logits);
        return ConsistencyTest.Of(predictions, new(predictions, 15, Binning.Guo), Resamples, seed).PValue;
    }

    private static bool Covers(Interval interval, double truth) => interval.Low <= truth && truth <= interval.High;
}
