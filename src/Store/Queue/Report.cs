using Npgsql;
using NpgsqlTypes;
using Temper.Domain.Jobs;

namespace Temper.Store.Queue;

public sealed partial class JobQueue
{
    /// <summary>Notes that the attempt has its data on the device and begins its first optimizer step.</summary>
    /// <param name="note">What a reader should know of this attempt; null for nothing.</param>
    /// <returns>False: the job is no longer held.</returns>
    public Task<bool> ReportTrainingStartedAsync(ClaimedJob job, string? note, CancellationToken cancellationToken) =>
        WriteAsync(
            $"UPDATE jobs SET training_started_at = clock_timestamp(), attempt_note = @note WHERE {Held}",
            job.Id,
            job.Attempt,
            cancellationToken,
            [Text("note", note)]
        );

    /// <summary>
    /// Stores what a training has to say, all or nothing: the metrics of epochs, and the checkpoint that replaces the last
    /// one. The job's row is written first, which locks it: an insert guarded only by its own WHERE could commit beside a rescue
    /// that took the job away in the meantime. Rows are keyed by epoch, so an attempt that trains an epoch again replaces its row.
    /// </summary>
    /// <param name="epochs">Those that ended since the last report.</param>
    /// <param name="checkpoint">Made after the last of them; null to keep the one there is.</param>
    /// <returns>False: the job is no longer held and nothing was written.</returns>
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
                                    ece, signed_gap, learning_rate, seconds, images_per_second)
                SELECT held.id, held.attempt, ended.*
                FROM held, unnest(@epoch, @train_loss, @train_accuracy, @validation_loss, @validation_accuracy,
                                  @ece, @signed_gap, @learning_rate, @seconds, @images_per_second) ended
                ON CONFLICT (job_id, epoch) DO UPDATE SET
                    attempt = excluded.attempt, train_loss = excluded.train_loss, train_accuracy = excluded.train_accuracy,
                    validation_loss = excluded.validation_loss, validation_accuracy = excluded.validation_accuracy,
                    ece = excluded.ece, signed_gap = excluded.signed_gap, learning_rate = excluded.learning_rate,
                    seconds = excluded.seconds, images_per_second = excluded.images_per_second)
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
            Column("images_per_second", epoch => epoch.ImagesPerSecond)
        );

        NpgsqlParameter Column(string name, Func<EpochMetrics, double> value) =>
            new(name, NpgsqlDbType.Array | NpgsqlDbType.Double) { Value = epochs.Select(value).ToArray() };
    }

    /// <summary>
    /// Frees the space of checkpoints that were replaced. PostgreSQL's autovacuum looks once a minute, and by then a job may have
    /// replaced ten of them. It passes by where another vacuum is at work.
    /// </summary>
    public async Task VacuumCheckpointsAsync(CancellationToken cancellationToken)
    {
        await using var command = database.CreateCommand("VACUUM (SKIP_LOCKED) checkpoints");
        await command.ExecuteNonQueryAsync(cancellationToken);
    }

    /// <returns>The checkpoint to go on from; null when the job has none: it begins.</returns>
    public async Task<byte[]?> ReadCheckpointAsync(ClaimedJob job, CancellationToken cancellationToken)
    {
        await using var command = database.CreateCommand("SELECT data FROM checkpoints WHERE job_id = $1");
        command.Parameters.AddWithValue(job.Id);
        return (byte[]?)await command.ExecuteScalarAsync(cancellationToken);
    }
}
