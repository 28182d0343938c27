using Temper.Domain.Jobs;

namespace Temper.Domain.Studies;

/// <summary>The figures of a succeeded job of a study.</summary>
/// <param name="Arm">Number of its arm.</param>
/// <param name="TrainAccuracy">Training accuracy of the kept epoch, against the labels it was trained on.</param>
/// <param name="BestEpoch">The epoch with the lowest validation loss.</param>
/// <param name="ValidationImages">Images of the validation split; null when its logits were too large to keep.</param>
/// <param name="TestImages">Images of the test set; null when its logits were too large to keep.</param>
/// <param name="Corrupted">Means over every <see cref="Datasets.Corruption"/> of the test set, for reporting only; null in a study
/// without corruptions.</param>
public sealed record StudyJob(
    Guid Id,
    int Arm,
    long Seed,
    double TrainAccuracy,
    int BestEpoch,
    Scores Scores,
    int? ValidationImages = null,
    int? TestImages = null,
    SplitScores? Corrupted = null
)
{
    /// <summary>Over-fitting: training accuracy − test accuracy.</summary>
    public double TrainTestGap => TrainAccuracy - Scores.Test.Accuracy;
}

/// <summary>An arm with its number in the study.</summary>
/// <param name="Number">From 0, in the order in which the arms were added.</param>
/// <param name="DroppedAtSeeds">Its number of finished seeds when successive halving dropped it; null if it is not
/// dropped.</param>
public sealed record StudyArm(int Number, Arm Arm, int? DroppedAtSeeds);
