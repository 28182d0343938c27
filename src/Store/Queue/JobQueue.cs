using System.Text;
using Npgsql;
using NpgsqlTypes;
using Temper.Domain.Jobs;

namespace Temper.Store.Queue;

/// <summary>
/// The jobs table as the queue, one file per operation. A worker's write names the attempt it was claimed under and
/// touches nothing when that attempt is over: <c>false</c> then means "this job is no longer yours, write nothing more".
/// </summary>
public sealed partial class JobQueue(NpgsqlDataSource database)
{
    /// <summary>Workers listen here. A notification only shortens a wait; what the table says is the truth.</summary>
    public const string Channel = "temper_jobs";

    /// <summary>A job may be waiting to be claimed.</summary>
    public const string QueuedNotice = "queued";

    private const string Held = "id = @id AND attempt = @attempt AND state = 'running'";

    /// <summary>In a RETURNING clause: the notice goes out with the change, or neither does.</summary>
    internal const string NotifyQueued = $"CASE state WHEN 'queued' THEN pg_notify('{Channel}', '{QueuedNotice}') END";

    private const string NotifyStop = $"CASE state WHEN 'running' THEN pg_notify('{Channel}', stop_requested || ' ' || id) END";

    private const int LongestText = 4000;

    /// <returns>Whether a notice is about a running job that its user wants stopped: "cancel ID" or "pause ID".</returns>
    public static bool IsStopNotice(string notice, out Guid job, out StopRequest request)
    {
        (job, request) = (default, default);
        return notice.Split(' ') is [var word, var id] && Enum.TryParse(word, ignoreCase: true, out request) && Guid.TryParse(id, out job);
    }

    /// <summary>It may quote what a crashing process wrote: PostgreSQL takes no NUL in a text, and no half of a character.</summary>
    private static NpgsqlParameter Text(string name, string? text, bool keepEnd = false)
    {
        text = text?.Replace("\0", "");
        if (text?.Length > LongestText)
            text = keepEnd ? text[^LongestText..] : text[..LongestText];
        return new(name, NpgsqlDbType.Text) { Value = text is null ? DBNull.Value : Encoding.UTF8.GetString(Encoding.UTF8.GetBytes(text)) };
    }

    private static NpgsqlParameter Bytes(string name, byte[]? value) =>
        new(name, NpgsqlDbType.Bytea) { Value = (object?)value ?? DBNull.Value };

    /// <summary>One guarded statement that returns a row when it had an effect.</summary>
    private async Task<bool> CommandAsync(string sql, Guid id, CancellationToken cancellationToken, params NpgsqlParameter[] parameters)
    {
        await using var command = database.CreateCommand(sql);
        command.Parameters.AddWithValue("id", id);
        command.Parameters.AddRange(parameters);
        await using var reader = await command.ExecuteReaderAsync(cancellationToken);
        return await reader.ReadAsync(cancellationToken);
    }

    private Task<bool> WriteAsync(string sql, ClaimedJob job, CancellationToken cancellationToken, params NpgsqlParameter[] parameters) =>
        WriteAsync(sql, job.Id, job.Attempt, cancellationToken, parameters);

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

/// <summary>A job as its owner holds it; <paramref name="Attempt"/> is the fencing token of every write.</summary>
/// <param name="Study">The study whose job it is; null for a job of its own.</param>
public sealed record ClaimedJob(Guid Id, int Attempt, JobSpec Spec, Guid? Study = null);
