using Temper.Domain.Calibration;

namespace Temper.Domain.Studies;

/// <summary>The recommended ε for one share of label noise.</summary>
/// <param name="LabelNoise">The share of label noise that the recommendation is for.</param>
/// <param name="Epsilon">The ε to use, of the simplest training among the arms that may be the best; null when no arm can be judged,
/// such as before any job has succeeded.</param>
/// <param name="Arm">The recommended arm; null when no arm can be judged.</param>
/// <param name="Temperature">Geometric mean over seeds of the T fitted for that arm; null when no arm can be judged.</param>
/// <param name="DifferenceExists">Whether any two arms differ significantly.</param>
/// <param name="Tied">The ε of the arms that may be the best, ascending.</param>
/// <param name="LowestMean">The ε of the arm with the lowest mean loss, significant or not.</param>
/// <param name="Power">The differences that this number of seeds can find.</param>
/// <param name="MoreSeeds">Number of additional seeds that would probably separate the two tied arms with the lowest means. When
/// it is null, <paramref name="MoreSeedsNote"/> says why.</param>
/// <param name="MoreSeedsNote">Why <paramref name="MoreSeeds"/> is null; null otherwise.</param>
/// <param name="Sentence">The recommendation in words.</param>
/// <param name="Findings">The effects of smoothing, other losses and mixup in this study, in sentences with their numbers.</param>
/// <param name="Arms">Every arm with results, by mean loss.</param>
/// <param name="Action">What to do; null when no arm can be judged.</param>
/// <param name="InShort">The same as a sentence, with whether to calibrate afterwards and whether a comparison supports it; null when no
/// arm can be judged.</param>
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
    IReadOnlyList<RankedArm> Arms,
    RecommendedAction? Action = null,
    string? InShort = null
)
{
    /// <param name="study">The study's spec.</param>
    /// <param name="arms">All arms of the study.</param>
    /// <param name="jobs">The succeeded jobs. Those without the criterion's figure do not count.</param>
    /// <param name="failed">The failed jobs.</param>
    /// <param name="isOver">Whether no job is left to run.</param>
    /// <returns>One recommendation for each share of label noise, in the spec's order. Its sentences list arms in the order of
    /// <paramref name="arms"/>.</returns>
    public static IReadOnlyList<Recommendation> Of(
        StudySpec study,
        IReadOnlyList<StudyArm> arms,
        IReadOnlyList<StudyJob> jobs,
        IReadOnlyList<FailedJobs>? failed = null,
        bool isOver = false
    )
    {
        var (byArm, failures) = (jobs.CountedBy(study.Criterion).ToLookup(job => job.Arm), failed ?? []);
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

/// <summary>The power of a comparison with a given number of seeds.</summary>
/// <param name="Seeds">Number of seeds of the arm that has most.</param>
/// <param name="Level">The largest probability of claiming a difference when there is none.</param>
/// <param name="Probability">The probability with which the detectable difference is found.</param>
/// <param name="DetectableDifference">The smallest true difference between two given arms' mean losses that is found with that
/// probability, if all arms scatter alike; null below two seeds.</param>
public sealed record Power(int Seeds, double Level, double Probability, double? DetectableDifference);

/// <summary>An arm's rank by the study's criterion on validation.</summary>
/// <param name="MeanLoss">Mean over its seeds, adjusted when arms lack different seeds; lower is better. For accuracy it is the
/// error rate.</param>
/// <param name="Seeds">Number of seeds with which its training succeeded.</param>
/// <param name="IsTied">Whether the arm may be the best.</param>
/// <param name="IsJudged">Whether the arm can be chosen: false if it was dropped, diverged with some seeds, has under half as many
/// seeds as another arm, or shares fewer than two with the arm that has most.</param>
/// <param name="DroppedAtSeeds">Its number of finished seeds when successive halving dropped it; null if it was not
/// dropped.</param>
/// <param name="BehindBest">Its loss − the loss of the judged arm with the lowest mean, mean over common seeds; null for that arm
/// and for arms not judged.</param>
/// <param name="Interval">Interval of that difference at the level of the decision, corrected for the number of arms. It covers 0
/// exactly when the arm is not called worse than the best. Null below two seeds.</param>
/// <param name="PValue">One-sided, uncorrected probability that chance alone puts the arm this far behind; null below two
/// seeds.</param>
/// <param name="IsConstant">Whether that difference is the same with every seed within the criterion's resolution; the resolution
/// then serves as the spread.</param>
/// <param name="Diverged">Number of seeds with which its training diverged; see <see cref="DivergedArms"/>.</param>
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
