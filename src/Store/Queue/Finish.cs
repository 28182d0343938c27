using Npgsql;
using NpgsqlTypes;
using Temper.Domain.Jobs;

namespace Temper.Store.Queue;

public sealed partial class JobQueue
{
    private const string ToFinal = "finished_at = clock_timestamp(), worker_id = NULL, progress = NULL";

    /// <summary>running → succeeded. A cancel that came too late to stop it is void.</summary>
    /// <returns>False: the job is no longer held.</returns>
    public Task<bool> SucceedAsync(ClaimedJob job, JobResult result, CancellationToken cancellationToken) =>
        WriteAsync($"UPDATE jobs SET state = 'succeeded', result = @result, {ToFinal} WHERE {Held}", job, cancellationToken,
            new NpgsqlParameter("result", NpgsqlDbType.Jsonb) { Value = Json.Write(result) });

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
}
