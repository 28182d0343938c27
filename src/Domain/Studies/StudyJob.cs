using Temper.Domain.Jobs;

namespace Temper.Domain.Studies;

/// <summary>A job of a study that has succeeded, in figures.</summary>
/// <param name="Arm">Number of its arm.</param>
/// <param name="TrainAccuracy">Of the last epoch, against the labels it was trained on.</param>
/// <param name="BestEpoch">The epoch with the lowest validation loss.</param>
/// <param name="ValidationImages">Of the validation split; null when its logits were too large to keep.</param>
/// <param name="TestImages">Of the test set; null as above.</param>
public sealed record StudyJob(
    Guid Id,
    int Arm,
    long Seed,
    double TrainAccuracy,
    int BestEpoch,
    Scores Scores,
    int? ValidationImages = null,
    int? TestImages = null
)
{
    /// <summary>Over-fitting: accuracy on what it was trained on − accuracy on the test set.</summary>
    public double TrainTestGap => TrainAccuracy - Scores.Test.Accuracy;
}

/// <summary>An arm as the study keeps it.</summary>
/// <param name="Number">From 0, in the order they came.</param>
/// <param name="DroppedAtSeeds">After how many seeds successive halving dropped it; null while it runs.</param>
public sealed record StudyArm(int Number, Arm Arm, int? DroppedAtSeeds);
