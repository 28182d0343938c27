using Npgsql;
using NpgsqlTypes;
using Temper.Domain.Jobs;

namespace Temper.Store.Queue;

public sealed partial class JobQueue
{
    /// <summary>Records that the attempt has its data on the device and begins its first optimizer step.</summary>
    /// <param name="note">A note about this attempt for the reader; null without one.</param>
    /// <param name="traceparent">The attempt's span; null when it is not recorded.</param>
    /// <returns>False when the worker no longer holds the job.</returns>
    public Task<bool> ReportTrainingStartedAsync(
        ClaimedJob job,
        string? note,
        CancellationToken cancellationToken,
        string? traceparent = null
    ) =>
        WriteAsync(
            $"""
            UPDATE jobs SET training_started_at = clock_timestamp(), attempt_note = @note, attempt_traceparent = @traceparent WHERE {Held}
            """,
            job.Id,
            job.Attempt,
            cancellationToken,
            [Text("note", note), Text("traceparent", traceparent)]
        );

    /// <summary>
    /// Stores the metrics of epochs and a checkpoint that replaces the previous one, all or nothing. The statement first
    /// updates the job's row and thereby locks it: an insert guarded only by its own WHERE could commit although a concurrent
    /// rescue took the job away. Rows are keyed by epoch, so an attempt that trains an epoch again replaces its row.
    /// </summary>
    /// <param name="epochs">The epochs that ended since the last report.</param>
    /// <param name="checkpoint">Made after the last of these epochs; null to keep the stored one.</param>
    /// <returns>False when the worker no longer holds the job; then nothing was written.</returns>
    public Task<bool> ReportAsync(
        ClaimedJob job,
        IReadOnlyList<EpochMetrics> epochs,
        byte[]? checkpoint,
        CancellationToken cancellationToken
    )
    {
        return CommandAsync(
            $"""
            WITH held AS (UPDATE jobs SET metrics_version = metrics_version + cardinality(@epoch) WHERE {Held} RETURNING id, attempt),
            saved AS (
                INSERT INTO checkpoints (job_id, data) SELECT id, @checkpoint FROM held WHERE @checkpoint IS NOT NULL
                ON CONFLICT (job_id) DO UPDATE SET data = excluded.data),
            stored AS (
                INSERT INTO epochs (job_id, attempt, epoch, train_loss, train_accuracy, validation_loss, validation_accuracy,
                                    ece, signed_gap, learning_rate, seconds, images_per_second,
                                    validation_loss_after_temperature)
                SELECT held.id, held.attempt, ended.*
                FROM held, unnest(@epoch, @train_loss, @train_accuracy, @validation_loss, @validation_accuracy,
                                  @ece, @signed_gap, @learning_rate, @seconds, @images_per_second,
                                  @validation_loss_after_temperature) ended
                ON CONFLICT (job_id, epoch) DO UPDATE SET
                    attempt = excluded.attempt, train_loss = excluded.train_loss, train_accuracy = excluded.train_accuracy,
                    validation_loss = excluded.validation_loss, validation_accuracy = excluded.validation_accuracy,
                    ece = excluded.ece, signed_gap = excluded.signed_gap, learning_rate = excluded.learning_rate,
                    seconds = excluded.seconds, images_per_second = excluded.images_per_second,
                    validation_loss_after_temperature = excluded.validation_loss_after_temperature, changed = excluded.changed)
            SELECT FROM held
            """,
            job.Id,
            cancellationToken,
            new("attempt", job.Attempt),
            Bytes("checkpoint", checkpoint),
            new("epoch", epochs.Select(epoch => epoch.Epoch).ToArray()),
            Column("train_loss", epoch => epoch.TrainLoss),
            Column("train_accuracy", epoch => epoch.TrainAccuracy),
            Column("validation_loss", epoch => epoch.ValidationLoss),
            Column("validation_accuracy", epoch => epoch.ValidationAccuracy),
            Column("ece", epoch => epoch.Ece),
            Column("signed_gap", epoch => epoch.SignedGap),
            Column("learning_rate", epoch => epoch.LearningRate),
            Column("seconds", epoch => epoch.Seconds),
            Column("images_per_second", epoch => epoch.ImagesPerSecond),
            Column("validation_loss_after_temperature", epoch => epoch.ValidationLossAfterTemperature)
        );

        NpgsqlParameter Column(string name, Func<EpochMetrics, double?> value) =>
            new(name, NpgsqlDbType.Array | NpgsqlDbType.Double) { Value = epochs.Select(value).ToArray() };
    }

    /// <summary>
    /// Frees the space of replaced checkpoints. PostgreSQL's autovacuum runs once a minute, and a job may replace ten
    /// checkpoints in that time. The call does nothing while another vacuum of the table runs.
    /// </summary>
    public async Task VacuumCheckpointsAsync(CancellationToken cancellationToken)
    {
        await using var command = database.CreateCommand("VACUUM (SKIP_LOCKED) checkpoints");
        await command.ExecuteNonQueryAsync(cancellationToken);
    }

    /// <returns>The checkpoint to resume from; null when the job has none and starts from the beginning.</returns>
    public async Task<byte[]?> ReadCheckpointAsync(ClaimedJob job, CancellationToken cancellationToken)
    {
        await using var command = database.CreateCommand("SELECT data FROM checkpoints WHERE job_id = $1");
        command.Parameters.AddWithValue(job.Id);
        return (byte[]?)await command.ExecuteScalarAsync(cancellationToken);
    }
}
