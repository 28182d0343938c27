using Temper.Domain.Calibration;
using Temper.Domain.Smoothing;

namespace Temper.Domain.Studies;

/// <summary>Which ε to train with, under one share of label noise.</summary>
/// <param name="LabelNoise">The condition.</param>
/// <param name="Epsilon">The ε to use: the least smoothing among the arms that may be the best; null before any job has succeeded.</param>
/// <param name="Arm">The whole arm; null as above.</param>
/// <param name="Temperature">Geometric mean over seeds of the T fitted for that arm; null as above.</param>
/// <param name="DifferenceExists">Whether any two arms can be told apart.</param>
/// <param name="Tied">The ε of the arms that may be the best, ascending.</param>
/// <param name="LowestMean">The ε of the arm with the lowest mean loss, whether or not that is chance.</param>
/// <param name="Power">What so many seeds can find.</param>
/// <param name="MoreSeeds">How many more seeds would probably tell the best two tied arms apart; null where nothing is tied, or over 1000.</param>
/// <param name="Sentence">The answer in words.</param>
/// <param name="Findings">What smoothing does here, in sentences with the numbers behind them.</param>
/// <param name="Arms">Every arm with results, by mean loss.</param>
public sealed record Recommendation(
    double LabelNoise,
    double? Epsilon,
    Arm? Arm,
    double? Temperature,
    bool DifferenceExists,
    IReadOnlyList<double> Tied,
    double? LowestMean,
    Power Power,
    int? MoreSeeds,
    string Sentence,
    IReadOnlyList<string> Findings,
    IReadOnlyList<RankedArm> Arms)
{
    /// <param name="study">Its spec.</param>
    /// <param name="arms">All its arms.</param>
    /// <param name="jobs">Those that have succeeded.</param>
    /// <returns>One for each share of label noise, in the spec's order.</returns>
    public static IReadOnlyList<Recommendation> Of(StudySpec study, IReadOnlyList<StudyArm> arms, IReadOnlyList<StudyJob> jobs)
    {
        var byArm = jobs.ToLookup(job => job.Arm);
        return [.. (study.LabelNoise ?? [study.Job.LabelNoise]).Select(noise => new Condition(study, noise, [.. arms.Where(arm => arm.Arm.LabelNoise == noise)], byArm).Recommend())];
    }

    /// <summary>The arms under one share of label noise.</summary>
    private sealed class Condition
    {
        private readonly StudySpec study;
        private readonly double noise;
        private readonly bool isOneOfSeveral;
        private readonly ILookup<int, StudyJob> jobs;
        private readonly int classes;

        /// <summary>With results, the lowest mean first.</summary>
        private readonly StudyArm[] ranked;

        /// <summary>Of them those that the choice is between.</summary>
        private readonly StudyArm[] judged;

        private readonly IReadOnlyDictionary<int, double> means;
        private readonly ArmComparison comparison;

        public Condition(StudySpec study, double noise, StudyArm[] arms, ILookup<int, StudyJob> jobs)
        {
            // Without the axis that all its arms agree in, which their labels need not name.
            (this.study, this.noise, isOneOfSeveral, this.jobs) = (study with { LabelNoise = null }, noise, study.LabelNoise is { Count: > 1 }, jobs);
            classes = Datasets.DatasetCatalog.Find(study.Job.Dataset)!.Classes;
            var known = arms.Where(arm => jobs.Contains(arm.Number)).ToArray();
            var losses = known.ToDictionary(arm => arm.Number, arm => new ArmLosses(arm.Number, jobs[arm.Number].ToDictionary(job => job.Seed, job => job.Scores.Validation.LossBy(study.Criterion))));
            means = SeedAdjusted.Means(losses.Values);
            ranked = [.. known.OrderBy(arm => means[arm.Number])];
            judged = Judged(ranked);
            // What was dropped is not chosen from, but tells of the scatter, as it would in the full grid.
            comparison = new ArmComparison(ranked.Where(arm => judged.Contains(arm) || arm.DroppedAtSeeds is not null).Select(arm => losses[arm.Number]), rivals: arms.Length);
        }

        public Recommendation Recommend()
        {
            if (ranked.Length == 0) return new(noise, null, null, null, false, [], null, new(0, ArmComparison.Level, ArmComparison.WantedPower, null), null, "No job has succeeded yet.", [], []);
            var seeds = judged.Max(Seeds);
            var tied = judged.Where(arm => comparison.Tied.Contains(arm.Number)).ToArray();
            if (tied.Length == 0) tied = [judged[0]]; // arms beaten in a circle, which only differing sets of seeds can make
            var chosen = tied.OrderBy(Smoothing).ThenBy(arm => means[arm.Number]).First();
            var power = new Power(seeds, ArmComparison.Level, ArmComparison.WantedPower, comparison.Detectable(seeds));
            var needed = tied.Length < 2 ? null : comparison.SeedsToTell(comparison.Between(tied[1].Number, tied[0].Number));
            var conclusion = new Conclusion(
                study, isOneOfSeveral ? noise : null, DifferenceExists, chosen.Arm, Temperature(chosen), Arms(ranked), Arms(tied), tied.Count(arm => Smoothing(arm) == Smoothing(chosen)), Nearest(chosen),
                Arms(ranked.Where(arm => arm.DroppedAtSeeds is null).Except(judged)), Arms(ranked.Where(arm => arm.DroppedAtSeeds is not null).Except(judged)), power, needed is null ? null : Math.Max(1, needed.Value - seeds));
            return new(
                noise, chosen.Arm.Epsilon, chosen.Arm, Temperature(chosen), DifferenceExists, [.. tied.Select(arm => arm.Arm.Epsilon).Distinct().Order()], ranked[0].Arm.Epsilon,
                power, conclusion.MoreSeeds, conclusion.Sentence(), Studies.Findings.Of(study, chosen.Arm, ranked, jobs), [.. ranked.Select(arm => Rank(arm, tied))]);
        }

        /// <summary>
        /// Arms that halving dropped are beaten already. One with under half of the seeds of another, because its jobs failed or are
        /// still to come, could neither be told from any other nor be recommended in earnest.
        /// </summary>
        private StudyArm[] Judged(StudyArm[] known)
        {
            var left = known.Where(arm => arm.DroppedAtSeeds is null).ToArray();
            var most = left.Select(Seeds).DefaultIfEmpty().Max();
            return left.Length == 0 ? known : [.. left.Where(arm => 2 * Seeds(arm) >= most)];
        }

        private (Arm, double, double)? Nearest(StudyArm chosen)
        {
            var others = judged.Where(arm => arm != chosen).ToArray();
            return others.Length > 0 && others.All(arm => comparison.Between(arm.Number, chosen.Number).PValue <= comparison.PairLevel) ? (others[0].Arm, means[chosen.Number], means[others[0].Number]) : null;
        }

        private bool DifferenceExists => comparison.DifferenceExists || ranked.Any(arm => arm.DroppedAtSeeds is not null);

        private RankedArm Rank(StudyArm arm, StudyArm[] tied)
        {
            var behind = arm == judged[0] || !judged.Contains(arm) ? null : comparison.Between(arm.Number, judged[0].Number);
            return new(arm.Arm, means[arm.Number], Seeds(arm), tied.Contains(arm), judged.Contains(arm), arm.DroppedAtSeeds, behind?.Mean, behind?.Interval(comparison.PairLevel), behind?.StandardDeviation is null ? null : behind.PValue);
        }

        private int Seeds(StudyArm arm) => jobs[arm.Number].Count();

        private double Temperature(StudyArm arm) => Math.Exp(jobs[arm.Number].Average(job => Math.Log(job.Scores.Temperature)));

        /// <summary>ε in one convention, so that arms of both compare.</summary>
        private double Smoothing(StudyArm arm) => LabelSmoothing.Of(arm.Arm.Smoothing, arm.Arm.Epsilon, classes).EpsilonUniform;

        private static IReadOnlyList<Arm> Arms(IEnumerable<StudyArm> arms) => [.. arms.Select(arm => arm.Arm)];
    }
}

/// <summary>What a comparison with so many seeds can find.</summary>
/// <param name="Seeds">Seeds of the arm that has most.</param>
/// <param name="Level">How often a difference is claimed where there is none, at most.</param>
/// <param name="Probability">With which the detectable difference is found.</param>
/// <param name="DetectableDifference">The smallest true difference of two arms in mean loss that is found with that probability; null below two seeds.</param>
public sealed record Power(int Seeds, double Level, double Probability, double? DetectableDifference);

/// <summary>An arm by the study's criterion on validation.</summary>
/// <param name="MeanLoss">Over its seeds, adjusted where arms lack different ones; lower is better, of accuracy the error rate.</param>
/// <param name="Seeds">It has succeeded with.</param>
/// <param name="IsTied">Whether it may be the best.</param>
/// <param name="IsJudged">False where it was dropped, or has under half of the seeds of another: it is not chosen from.</param>
/// <param name="DroppedAtSeeds">After how many seeds successive halving dropped it; null otherwise.</param>
/// <param name="BehindBest">Mean over common seeds of its loss − that of the judged arm with the lowest mean; null for that arm and for arms not judged.</param>
/// <param name="Interval">Of that difference, corrected for the number of arms; null below two seeds.</param>
/// <param name="PValue">One-sided, not corrected: how likely chance alone puts it so far behind; null below two seeds.</param>
public sealed record RankedArm(
    Arm Arm, double MeanLoss, int Seeds, bool IsTied, bool IsJudged, int? DroppedAtSeeds, double? BehindBest, Interval? Interval, double? PValue);
