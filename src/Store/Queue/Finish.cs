using Npgsql;
using NpgsqlTypes;
using Temper.Domain.Jobs;

namespace Temper.Store.Queue;

public sealed partial class JobQueue
{
    private const string ToFinal = "finished_at = clock_timestamp(), worker_id = NULL, progress = NULL";

    /// <summary>running → succeeded, with the model in the same statement. A cancel that came too late to stop it is void.</summary>
    /// <returns>False: the job is no longer held.</returns>
    public Task<bool> SucceedAsync(ClaimedJob job, JobResult result, TrainedModel model, CancellationToken cancellationToken) =>
        WriteAsync(
            $"""
            WITH done AS (UPDATE jobs SET state = 'succeeded', result = @result, {ToFinal} WHERE {Held} RETURNING id),
                 over AS (DELETE FROM checkpoints WHERE job_id = (SELECT id FROM done))
            INSERT INTO models (job_id, weights, classes, validation_logits, validation_labels, test_logits, test_labels, true_probabilities)
            SELECT id, @weights, @classes, @validation_logits, @validation_labels, @test_logits, @test_labels, @true_probabilities FROM done
            """,
            job, cancellationToken,
            new("result", NpgsqlDbType.Jsonb) { Value = Json.Write(result) },
            Bytes("weights", model.Weights),
            new("classes", NpgsqlDbType.Integer) { Value = model.Logits is { } logits ? logits.Classes : DBNull.Value },
            Bytes("validation_logits", model.Logits?.ValidationLogits),
            Bytes("validation_labels", model.Logits?.ValidationLabels),
            Bytes("test_logits", model.Logits?.TestLogits),
            Bytes("test_labels", model.Logits?.TestLabels),
            Bytes("true_probabilities", model.Logits?.TrueProbabilities));

    /// <summary>running → failed, for an error that another attempt would only repeat; → cancelled where that was asked for.</summary>
    /// <inheritdoc cref="SucceedAsync"/>
    public Task<bool> FailAsync(ClaimedJob job, string reason, CancellationToken cancellationToken) =>
        WriteAsync(
            $"""
            UPDATE jobs SET state = CASE WHEN cancel_requested_at IS NOT NULL THEN 'cancelled' ELSE 'failed' END,
                            failures = failures + 1, reason = {ReasonUnlessCancelled}, {ToFinal}
            WHERE {Held}
            """, job, cancellationToken, Reason(reason));

    /// <summary>running → cancelled, at its user's request.</summary>
    /// <inheritdoc cref="SucceedAsync"/>
    public Task<bool> FinishCancelledAsync(ClaimedJob job, CancellationToken cancellationToken) =>
        WriteAsync($"UPDATE jobs SET state = 'cancelled', reason = 'cancelled while running', {ToFinal} WHERE {Held}", job, cancellationToken);

    private static NpgsqlParameter Bytes(string name, byte[]? value) => new(name, NpgsqlDbType.Bytea) { Value = (object?)value ?? DBNull.Value };
}
