using Npgsql;
using NpgsqlTypes;
using Temper.Domain.Jobs;

namespace Temper.Store.Queue;

/// <summary>
/// The jobs table serves as the queue; each operation has its own file. Every write of a worker names the attempt under which
/// it claimed the job. When that attempt is over, the write changes nothing and returns <c>false</c>: the worker no longer
/// owns the job and must write nothing more.
/// </summary>
public sealed partial class JobQueue(NpgsqlDataSource database)
{
    /// <summary>The latest revision of specs that the worker trains, which its heartbeats announce.</summary>
    public int KnownRevision { get; init; } = SpecRevision.Known;

    /// <summary>Workers listen on this channel. A notification only shortens a wait; the table decides.</summary>
    public const string Channel = "temper_jobs";

    /// <summary>The notice that a job may be ready to claim.</summary>
    public const string QueuedNotice = "queued";

    private const string Held = "id = @id AND attempt = @attempt AND state = 'running'";

    /// <summary>For a RETURNING clause: the notice and the change commit together or not at all.</summary>
    internal const string NotifyQueued = $"CASE state WHEN 'queued' THEN pg_notify('{Channel}', '{QueuedNotice}') END";

    private const string NotifyStop = $"CASE state WHEN 'running' THEN pg_notify('{Channel}', stop_requested || ' ' || id) END";

    private const int LongestText = 4000;

    /// <returns>Whether a notice asks to stop a running job: "cancel ID" or "pause ID".</returns>
    public static bool IsStopNotice(string notice, out Guid job, out StopRequest request)
    {
        (job, request) = (default, default);
        return notice.Split(' ') is [var word, var id] && Enum.TryParse(word, ignoreCase: true, out request) && Guid.TryParse(id, out job);
    }

    /// <summary>The text may quote the output of a crashed process.</summary>
    internal static NpgsqlParameter Text(string name, string? text, bool keepEnd = false) =>
        new(name, NpgsqlDbType.Text) { Value = text is null ? DBNull.Value : CleanText.Of(text, LongestText, keepEnd) };

    private static NpgsqlParameter Bytes(string name, byte[]? value) =>
        new(name, NpgsqlDbType.Bytea) { Value = (object?)value ?? DBNull.Value };

    /// <summary>Runs one guarded statement, which returns a row when it had an effect.</summary>
    private async Task<bool> CommandAsync(string sql, Guid id, CancellationToken cancellationToken, params NpgsqlParameter[] parameters)
    {
        await using var command = database.CreateCommand(sql);
        command.Parameters.AddWithValue("id", id);
        command.Parameters.AddRange(parameters);
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        return await reader.ReadAsync(cancellationToken);
    }

    private async Task<bool> WriteAsync(
        string sql,
        Guid id,
        int attempt,
        CancellationToken cancellationToken,
        params NpgsqlParameter[] parameters
    )
    {
        await using var command = database.CreateCommand(sql);
        command.Parameters.AddWithValue("id", id);
        command.Parameters.AddWithValue("attempt", attempt);
        command.Parameters.AddRange(parameters);
        return await command.ExecuteNonQueryAsync(cancellationToken) == 1;
    }
}

/// <summary>A job that a worker owns; <paramref name="Attempt"/> is the fencing token of every write.</summary>
/// <param name="Tenant">Whose job it is.</param>
/// <param name="Study">The study that the job belongs to; null outside a study.</param>
/// <param name="StudyNotifies">Whether the study names an address that is told its end.</param>
/// <param name="Trace">What the attempt's trace needs.</param>
public sealed record ClaimedJob(
    Guid Id,
    int Attempt,
    JobSpec Spec,
    string Tenant,
    Guid? Study = null,
    bool StudyNotifies = false,
    ClaimTrace Trace = default
);

/// <param name="Waited">Time from when the job could be claimed until it was claimed.</param>
/// <param name="Submission">The request that submitted the job, as a traceparent; null when its trace was not recorded.</param>
/// <param name="Earlier">The last attempt before this one that began to train, in the same form; null without one.</param>
public readonly record struct ClaimTrace(TimeSpan Waited, string? Submission, string? Earlier);
