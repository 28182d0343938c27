using Npgsql;
using NpgsqlTypes;
using Temper.Domain.Jobs;
using Temper.Domain.Serialization;
using Temper.Domain.Studies;
using Temper.Store.Queue;

namespace Temper.Store.Studies;

/// <summary>
/// The operations on whole studies, one file each. The jobs of a study are ordinary jobs of <see cref="JobQueue"/>.
/// </summary>
public sealed partial class StudyQueue(NpgsqlDataSource database)
{
    /// <summary>
    /// Timeout. A statement over ten thousand jobs, or one that deletes their models, takes longer than the few seconds that
    /// other statements may take.
    /// </summary>
    private const int CommandSeconds = 300;

    /// <summary>
    /// Selects the queued, running and paused jobs of a study. It locks them in the order of their ids, as every statement over
    /// several jobs does, so that two of these cannot deadlock. PostgreSQL builds the array once; with IN, the plan may search
    /// ten thousand jobs ten thousand times.
    /// </summary>
    private const string OfStudy =
        "id = ANY (ARRAY(SELECT id FROM jobs WHERE study_id = @id AND state IN ('queued', 'running', 'paused') ORDER BY id FOR UPDATE))";

    /// <summary>Cancels each queued, running or paused job as <see cref="JobQueue.CancelAsync"/> does.</summary>
    public Task CancelAsync(Guid id, CancellationToken cancellationToken) => CommandAsync(JobQueue.Cancel(OfStudy), id, cancellationToken);

    /// <summary>Pauses each queued or running job as <see cref="JobQueue.PauseAsync"/> does.</summary>
    public Task PauseAsync(Guid id, CancellationToken cancellationToken) => CommandAsync(JobQueue.Pause(OfStudy), id, cancellationToken);

    /// <summary>Resumes each job as <see cref="JobQueue.ResumeAsync"/> does.</summary>
    public Task ResumeAsync(Guid id, CancellationToken cancellationToken) => CommandAsync(JobQueue.Resume(OfStudy), id, cancellationToken);

    /// <summary>Sets whether retention spares the study and its jobs.</summary>
    public Task PinAsync(Guid id, bool pinned, CancellationToken cancellationToken) =>
        CommandAsync($"UPDATE studies SET pinned = {pinned} WHERE id = @id", id, cancellationToken);

    /// <summary>
    /// Retries each failed job as <see cref="JobQueue.RetryAsync"/> does, except jobs of arms that successive halving dropped.
    /// </summary>
    public Task RetryAsync(Guid id, CancellationToken cancellationToken) =>
        CommandAsync(
            $"""
            UPDATE jobs SET {JobQueue.Again}
            WHERE id = ANY (ARRAY(SELECT id FROM jobs JOIN arms USING (study_id, arm)
                                  WHERE study_id = @id AND state = 'failed' AND dropped_at_seeds IS NULL ORDER BY id FOR UPDATE OF jobs))
              AND state = 'failed'
            RETURNING {JobQueue.NotifyQueued}
            """,
            id,
            cancellationToken
        );

    private async Task CommandAsync(string sql, Guid id, CancellationToken cancellationToken)
    {
        await using var command = database.CreateCommand(sql);
        command.CommandTimeout = CommandSeconds;
        command.Parameters.AddWithValue("id", id);
        await command.ExecuteNonQueryAsync(cancellationToken);
    }

    /// <summary>Locks the study's row until the transaction ends.</summary>
    /// <returns>The study's spec; null when there is no such study or, with SKIP LOCKED, when another transaction holds the
    /// row.</returns>
    private static async Task<StudySpec?> LockAsync(
        NpgsqlConnection connection,
        Guid id,
        CancellationToken cancellationToken,
        string wait = ""
    )
    {
        await using var command = new NpgsqlCommand($"SELECT spec::text FROM studies WHERE id = $1 FOR UPDATE {wait}", connection);
        command.Parameters.AddWithValue(id);
        return await command.ExecuteScalarAsync(cancellationToken) is string spec ? TemperDb.Read<StudySpec>(spec) : null;
    }

    private static async Task ExecuteAsync(
        NpgsqlConnection connection,
        string sql,
        CancellationToken cancellationToken,
        params NpgsqlParameter[] parameters
    )
    {
        await using var command = new NpgsqlCommand(sql, connection) { CommandTimeout = CommandSeconds };
        command.Parameters.AddRange(parameters);
        await command.ExecuteNonQueryAsync(cancellationToken);
    }

    /// <summary>The arms and jobs as one array per column, for the statements that store them.</summary>
    private static NpgsqlParameter[] Arrays(IReadOnlyList<StudyArm> arms, IReadOnlyList<(int Arm, JobSpec Spec)> jobs) =>
        [
            new("arms", arms.Select(arm => arm.Number).ToArray()),
            new("epsilons", arms.Select(arm => arm.Arm.Epsilon).ToArray()),
            new("smoothing", arms.Select(arm => TemperDb.Word(arm.Arm.Smoothing)).ToArray()),
            new("learning_rates", arms.Select(arm => arm.Arm.LearningRate).ToArray()),
            new("models", arms.Select(arm => TemperDb.Word(arm.Arm.Model)).ToArray()),
            new("label_noise", arms.Select(arm => arm.Arm.LabelNoise).ToArray()),
            new("settings", arms.Select(arm => arm.Arm.Settings.Text).ToArray()),
            new("job_ids", jobs.Select(_ => Guid.CreateVersion7()).ToArray()),
            new("spec_revisions", jobs.Select(job => SpecRevision.Of(job.Spec)).ToArray()),
            new("job_arms", jobs.Select(job => job.Arm).ToArray()),
            new("seeds", jobs.Select(job => job.Spec.Seed).ToArray()),
            new("specs", NpgsqlDbType.Array | NpgsqlDbType.Jsonb) { Value = jobs.Select(job => Json.Write(job.Spec)).ToArray() },
        ];

    /// <summary>Common table expressions that insert the arms and jobs for each row of `study (id)`.</summary>
    private const string InsertArmsAndJobs = """
        new_arms AS (
            INSERT INTO arms (study_id, arm, epsilon, smoothing, learning_rate, model, label_noise, settings)
            SELECT study.id, grid.*
            FROM study, unnest(@arms, @epsilons, @smoothing, @learning_rates, @models, @label_noise, @settings) grid),
        new_jobs AS (
            INSERT INTO jobs (id, spec, spec_revision, study_id, arm, seed, state, attempt, failures)
            SELECT job.id, job.spec, job.spec_revision, study.id, job.arm, job.seed, 'queued', 0, 0
            FROM study,
                 unnest(@job_ids, @specs, @spec_revisions, @job_arms, @seeds)
                     WITH ORDINALITY AS job (id, spec, spec_revision, arm, seed, place)
            ORDER BY job.place)
        """;
}
