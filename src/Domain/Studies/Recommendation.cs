using Temper.Domain.Calibration;

namespace Temper.Domain.Studies;

/// <summary>Which ε to train with, under one share of label noise.</summary>
/// <param name="LabelNoise">The condition.</param>
/// <param name="Epsilon">The ε to use: the least smoothing among the arms that may be the best; null where no arm can be judged,
/// as before any job has succeeded.</param>
/// <param name="Arm">The whole arm; null as above.</param>
/// <param name="Temperature">Geometric mean over seeds of the T fitted for that arm; null as above.</param>
/// <param name="DifferenceExists">Whether any two arms can be told apart.</param>
/// <param name="Tied">The ε of the arms that may be the best, ascending.</param>
/// <param name="LowestMean">The ε of the arm with the lowest mean loss, whether or not that is chance.</param>
/// <param name="Power">What so many seeds can find.</param>
/// <param name="MoreSeeds">How many more seeds would probably tell the two tied arms with the lowest means apart; null where
/// <paramref name="MoreSeedsNote"/> says why.</param>
/// <param name="MoreSeedsNote">Why there is no such number; null where there is one.</param>
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
    string? MoreSeedsNote,
    string Sentence,
    IReadOnlyList<string> Findings,
    IReadOnlyList<RankedArm> Arms
)
{
    /// <param name="study">Its spec.</param>
    /// <param name="arms">All its arms.</param>
    /// <param name="jobs">Those that have succeeded.</param>
    /// <param name="failed">Those that have failed.</param>
    /// <param name="isOver">Whether no job is left to run.</param>
    /// <returns>One for each share of label noise, in the spec's order; arms that are named together are named in the order of
    /// <paramref name="arms"/>.</returns>
    public static IReadOnlyList<Recommendation> Of(
        StudySpec study,
        IReadOnlyList<StudyArm> arms,
        IReadOnlyList<StudyJob> jobs,
        IReadOnlyList<FailedJobs>? failed = null,
        bool isOver = false
    )
    {
        var (byArm, failures) = (jobs.ToLookup(job => job.Arm), failed ?? []);
        var diverged = DivergedArms.Of(study, arms, jobs, failures);
        return
        [
            .. (study.LabelNoise ?? [study.Job.LabelNoise]).Select(noise =>
                new Condition(
                    study,
                    noise,
                    [.. arms.Where(arm => arm.Arm.LabelNoise == noise)],
                    byArm,
                    failures,
                    diverged,
                    isOver
                ).Recommend()
            ),
        ];
    }
}

/// <summary>What a comparison with so many seeds can find.</summary>
/// <param name="Seeds">Seeds of the arm that has most.</param>
/// <param name="Level">How often a difference is claimed where there is none, at most.</param>
/// <param name="Probability">With which the detectable difference is found.</param>
/// <param name="DetectableDifference">The smallest true difference of two arms in mean loss that is found with that probability;
/// null below two seeds.</param>
public sealed record Power(int Seeds, double Level, double Probability, double? DetectableDifference);

/// <summary>An arm by the study's criterion on validation.</summary>
/// <param name="MeanLoss">Over its seeds, adjusted where arms lack different ones; lower is better, of accuracy the error rate.</param>
/// <param name="Seeds">It has succeeded with.</param>
/// <param name="IsTied">Whether it may be the best.</param>
/// <param name="IsJudged">False where it was dropped, diverged with some seeds, or has under half of the seeds of another: it is
/// not chosen from.</param>
/// <param name="DroppedAtSeeds">After how many seeds successive halving dropped it; null otherwise.</param>
/// <param name="BehindBest">Mean over common seeds of its loss − that of the judged arm with the lowest mean; null for that arm
/// and for arms not judged.</param>
/// <param name="Interval">Of that difference, at the level that decided, corrected for the number of arms: it covers 0 just where
/// the arm is not called worse than that one; null below two seeds.</param>
/// <param name="PValue">One-sided, not corrected: how likely chance alone puts it so far behind; null below two seeds.</param>
/// <param name="IsConstant">Whether that difference is the same with every seed, as far as the criterion can tell: then its
/// resolution counts as the spread.</param>
/// <param name="Diverged">With how many seeds its training diverged: see <see cref="DivergedArms"/>.</param>
public sealed record RankedArm(
    Arm Arm,
    double MeanLoss,
    int Seeds,
    bool IsTied,
    bool IsJudged,
    int? DroppedAtSeeds,
    double? BehindBest,
    Interval? Interval,
    double? PValue,
    bool IsConstant,
    int Diverged
);
