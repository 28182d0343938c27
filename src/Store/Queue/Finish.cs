using Npgsql;
using NpgsqlTypes;
using Temper.Domain.Jobs;
using Temper.Domain.Serialization;
using Temper.Store.Rows;

namespace Temper.Store.Queue;

public sealed partial class JobQueue
{
    private static readonly string Succeed = End(
        Held,
        next: "'succeeded'",
        outcome: "'succeeded'",
        counted: 0,
        set: ", result = @result",
        also: $"""
        ,
        over AS (DELETE FROM checkpoints WHERE job_id = (SELECT id FROM ended)),
        kept AS (
            INSERT INTO models (
                job_id, weights, classes, validation_logits, validation_labels, test_logits, test_labels, true_probabilities)
            SELECT
                id, @weights, @classes, @validation_logits, @validation_labels, @test_logits, @test_labels, @true_probabilities
            FROM ended),
        scored AS (
            INSERT INTO scores (
                job_id, train_accuracy, best_epoch, best_epoch_after_temperature, validation_images, test_images,
                {string.Join(",\n        ", ScoreColumns.All.Select(column => column.Name))})
            SELECT
                id, trained.train_accuracy, best.epoch,
                (SELECT epoch FROM epochs WHERE job_id = ended.id AND validation_loss_after_temperature IS NOT NULL
                 ORDER BY validation_loss_after_temperature, epoch LIMIT 1),
                octet_length(@validation_labels) / 4, octet_length(@test_labels) / 4,
                {string.Join(",\n        ", ScoreColumns.All.Select(column => $"@{column.Name}"))}
            FROM ended, LATERAL (SELECT train_accuracy FROM epochs WHERE job_id = ended.id AND epoch <= @kept_epoch
                                 ORDER BY epoch DESC LIMIT 1) trained,
                 LATERAL (SELECT epoch FROM epochs WHERE job_id = ended.id ORDER BY validation_loss, epoch LIMIT 1) best
            WHERE @temperature IS NOT NULL),
        corrupted AS (
            INSERT INTO corruption_scores (
                job_id, kind, strength,
                {string.Join(", ", ScoreColumns.OfSplit.Select(column => column.Name))})
            SELECT id, corrupted.*
            FROM ended, unnest(
                @corrupted_kind, @corrupted_strength,
                {string.Join(", ", ScoreColumns.OfSplit.Select(column => $"@corrupted_{column.Name}"))}) corrupted)
        """
    );

    private static readonly string Fail = End(
        Held,
        next: "CASE stop_requested WHEN 'cancel' THEN 'cancelled' ELSE 'failed' END",
        outcome: "'failed'",
        counted: 1
    );

    /// <summary>Moves a job from running to succeeded, stores its model in the same statement, drops a stop request.</summary>
    /// <returns>False when the worker no longer holds the job.</returns>
    public Task<bool> SucceedAsync(ClaimedJob job, JobResult result, TrainedModel model, CancellationToken cancellationToken) =>
        EndAsync(
            Succeed,
            job.Id,
            job.Attempt,
            reason: null,
            errorOutput: null,
            cancellationToken,
            [
                new("result", NpgsqlDbType.Jsonb) { Value = Json.Write(result) },
                new("kept_epoch", result.KeptEpoch),
                Bytes("weights", model.Weights),
                new("classes", NpgsqlDbType.Integer) { Value = model.Logits is { } logits ? logits.Classes : DBNull.Value },
                Bytes("validation_logits", model.Logits?.ValidationLogits),
                Bytes("validation_labels", model.Logits?.ValidationLabels),
                Bytes("test_logits", model.Logits?.TestLogits),
                Bytes("test_labels", model.Logits?.TestLabels),
                Bytes("true_probabilities", model.Logits?.TrueProbabilities),
                .. ScoreColumns.All.Select(column => new NpgsqlParameter(column.Name, NpgsqlDbType.Double)
                {
                    Value = (object?)(model.Scores is { } scores ? column.Of(scores) : null) ?? DBNull.Value,
                }),
                Corrupted("kind", NpgsqlDbType.Text, model, row => TemperDb.Word(row.Corruption.Kind)),
                Corrupted("strength", NpgsqlDbType.Integer, model, row => row.Corruption.Strength),
                .. ScoreColumns.OfSplit.Select(column => Corrupted(column.Name, NpgsqlDbType.Double, model, row => column.Of(row.Scores))),
            ]
        );

    /// <summary>A column of `corruption_scores` for all rows of the model.</summary>
    private static NpgsqlParameter Corrupted<T>(string column, NpgsqlDbType type, TrainedModel model, Func<CorruptionScores, T> of) =>
        new($"corrupted_{column}", NpgsqlDbType.Array | type) { Value = model.Corruptions.Select(of).ToArray() };

    /// <summary>
    /// Moves a job from running to failed, for an error that another attempt would repeat; to cancelled if a cancel is pending.
    /// </summary>
    /// <inheritdoc cref="SucceedAsync"/>
    public Task<bool> FailAsync(ClaimedJob job, string reason, CancellationToken cancellationToken) =>
        EndAsync(Fail, job.Id, job.Attempt, reason, errorOutput: null, cancellationToken);
}
