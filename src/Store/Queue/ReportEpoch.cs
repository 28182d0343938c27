using Temper.Domain.Jobs;

namespace Temper.Store.Queue;

public sealed partial class JobQueue
{
    /// <summary>
    /// Stores an epoch's metrics, and with them the checkpoint made at its end, if one was. The job's row is locked first:
    /// an insert guarded only by its own WHERE could commit beside a rescue that took the job away in the meantime. Keyed by
    /// epoch, so an attempt that trains an epoch again replaces its row and none is doubled.
    /// </summary>
    /// <returns>False: the job is no longer held and nothing was written.</returns>
    public Task<bool> ReportEpochAsync(ClaimedJob job, EpochMetrics metrics, byte[]? checkpoint, CancellationToken cancellationToken) =>
        WriteAsync(
            $"""
            WITH held AS (SELECT id, attempt FROM jobs WHERE {Held} FOR SHARE),
                 stored AS ({ReplaceCheckpoint})
            INSERT INTO epochs (job_id, attempt, epoch, train_loss, train_accuracy, validation_loss, validation_accuracy,
                                ece, signed_gap, learning_rate, seconds, images_per_second)
            SELECT id, attempt, @epoch, @train_loss, @train_accuracy, @validation_loss, @validation_accuracy,
                   @ece, @signed_gap, @learning_rate, @seconds, @images_per_second FROM held
            ON CONFLICT (job_id, epoch) DO UPDATE SET
                attempt = excluded.attempt, train_loss = excluded.train_loss, train_accuracy = excluded.train_accuracy,
                validation_loss = excluded.validation_loss, validation_accuracy = excluded.validation_accuracy,
                ece = excluded.ece, signed_gap = excluded.signed_gap, learning_rate = excluded.learning_rate,
                seconds = excluded.seconds, images_per_second = excluded.images_per_second
            """,
            job, cancellationToken,
            Bytes("checkpoint", checkpoint),
            new("epoch", metrics.Epoch),
            new("train_loss", metrics.TrainLoss),
            new("train_accuracy", metrics.TrainAccuracy),
            new("validation_loss", metrics.ValidationLoss),
            new("validation_accuracy", metrics.ValidationAccuracy),
            new("ece", metrics.Ece),
            new("signed_gap", metrics.SignedGap),
            new("learning_rate", metrics.LearningRate),
            new("seconds", metrics.Seconds),
            new("images_per_second", metrics.ImagesPerSecond));
}
