namespace Temper.Domain.Jobs;

/// <summary>The metrics of one epoch.</summary>
/// <param name="Epoch">From 1.</param>
/// <param name="TrainLoss">The loss that the job minimizes, nats, mean over the epoch's images at the time they were trained on. For
/// cross-entropy it is at least H(q).</param>
/// <param name="TrainAccuracy">Share of top-1 hits against the (possibly noisy) training labels, on the same images.</param>
/// <param name="ValidationLoss">Mean negative log-likelihood against hard labels after the epoch, nats.</param>
/// <param name="ValidationAccuracy">Share of top-1 hits on the validation split.</param>
/// <param name="Ece">Expected calibration error on the validation split, 15 equal-width bins.</param>
/// <param name="SignedGap">Mean confidence − accuracy on the validation split: positive is over-confident.</param>
/// <param name="LearningRate">Learning rate of this epoch.</param>
/// <param name="Seconds">Training and validation time of the epoch.</param>
/// <param name="ImagesPerSecond">Images trained per second of training time, without validation.</param>
/// <param name="ValidationLossAfterTemperature">ValidationLoss after a cross-fitted temperature, an estimate of the refinement; see
/// <see cref="Scores"/>. Null with fewer than two validation images, and in epochs older than this field.</param>
public sealed record EpochMetrics(
    int Epoch,
    double TrainLoss,
    double TrainAccuracy,
    double ValidationLoss,
    double ValidationAccuracy,
    double Ece,
    double SignedGap,
    double LearningRate,
    double Seconds,
    double ImagesPerSecond,
    double? ValidationLossAfterTemperature = null
);
