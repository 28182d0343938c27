namespace Temper.Store.Queue;

public sealed partial class JobQueue
{
    /// <summary>queued → paused at once; a running job is marked, and its worker makes a checkpoint and stops it.</summary>
    /// <inheritdoc cref="CancelAsync"/>
    public Task<bool> PauseAsync(Guid id, CancellationToken cancellationToken) => CommandAsync(Pause("id = @id"), id, cancellationToken);

    /// <summary>paused → queued, where its age and priority put it; a request to pause a running job is withdrawn.</summary>
    /// <inheritdoc cref="CancelAsync"/>
    public Task<bool> ResumeAsync(Guid id, CancellationToken cancellationToken) => CommandAsync(Resume("id = @id"), id, cancellationToken);

    /// <inheritdoc cref="PauseAsync"/>
    internal static string Pause(string which) =>
        $"""
            UPDATE jobs
            SET state = CASE state WHEN 'queued' THEN 'paused' ELSE state END,
                stop_requested = CASE state WHEN 'running' THEN 'pause' END,
                reason = CASE state WHEN 'queued' THEN 'paused while queued' ELSE reason END
            WHERE {which} AND (state = 'queued' OR (state = 'running' AND stop_requested IS NULL))
            RETURNING {NotifyStop}
            """;

    /// <inheritdoc cref="ResumeAsync"/>
    internal static string Resume(string which) =>
        $"""
            UPDATE jobs
            SET state = CASE state WHEN 'paused' THEN 'queued' ELSE state END,
                stop_requested = NULL, run_at = clock_timestamp(),
                progress = CASE state WHEN 'paused' THEN NULL ELSE progress END,
                reason = CASE state WHEN 'paused' THEN NULL ELSE reason END
            WHERE {which} AND (state = 'paused' OR (state = 'running' AND stop_requested = 'pause'))
            RETURNING {NotifyQueued}
            """;
}
