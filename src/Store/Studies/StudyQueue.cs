using Npgsql;
using NpgsqlTypes;
using Temper.Domain.Serialization;
using Temper.Domain.Studies;
using Temper.Store.Queue;

namespace Temper.Store.Studies;

/// <summary>What is done to studies as a whole, one file per operation; their jobs are ordinary jobs of <see cref="JobQueue"/>.</summary>
public sealed partial class StudyQueue(NpgsqlDataSource database)
{
    /// <summary>
    /// Ten thousand jobs, and their models when they are deleted, take more than the few seconds that other statements
    /// may.
    /// </summary>
    private const int CommandSeconds = 300;

    /// <summary>
    /// The jobs of a study that are not over, locked in the order of their ids as everywhere: two statements over several jobs must
    /// not wait for each other. An array is made once; a plan with IN may look for ten thousand jobs ten thousand times.
    /// </summary>
    private const string OfStudy =
        "id = ANY (ARRAY(SELECT id FROM jobs WHERE study_id = @id AND state IN ('queued', 'running', 'paused') ORDER BY id FOR UPDATE))";

    /// <summary>Each job that is not over, as <see cref="JobQueue.CancelAsync"/> does one.</summary>
    public Task CancelAsync(Guid id, CancellationToken cancellationToken) => CommandAsync(JobQueue.Cancel(OfStudy), id, cancellationToken);

    /// <summary>Each job that waits or runs, as <see cref="JobQueue.PauseAsync"/> does one.</summary>
    public Task PauseAsync(Guid id, CancellationToken cancellationToken) => CommandAsync(JobQueue.Pause(OfStudy), id, cancellationToken);

    /// <summary>Each paused job, as <see cref="JobQueue.ResumeAsync"/> does one.</summary>
    public Task ResumeAsync(Guid id, CancellationToken cancellationToken) => CommandAsync(JobQueue.Resume(OfStudy), id, cancellationToken);

    /// <summary>Says whether retention leaves the study and its jobs alone.</summary>
    public Task PinAsync(Guid id, bool pinned, CancellationToken cancellationToken) =>
        CommandAsync($"UPDATE studies SET pinned = {pinned} WHERE id = @id", id, cancellationToken);

    /// <summary>Each failed job, as <see cref="JobQueue.RetryAsync"/> does one, but not those of arms that halving dropped.</summary>
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

    /// <returns>The study's spec, its row locked until the transaction ends; null when there is no such study, or with SKIP
    /// LOCKED when another holds it.</returns>
    private static async Task<StudySpec?> LockAsync(
        NpgsqlConnection connection,
        Guid id,
        CancellationToken cancellationToken,
        string wait = ""
    )
    {
        await using var command = new NpgsqlCommand($"SELECT spec::text FROM studies WHERE id = $1 FOR UPDATE {wait}", connection);
        command.Parameters.AddWithValue(id);
        return await command.ExecuteScalarAsync(cancellationToken) is string spec ? Json.Read<StudySpec>(spec) : null;
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

    /// <summary>Arms and jobs as columns, for the statements that store them.</summary>
    private static NpgsqlParameter[] Arrays(IReadOnlyList<StudyArm> arms, IReadOnlyList<(int Arm, Domain.Jobs.JobSpec Spec)> jobs) =>
        [
            new("arms", arms.Select(arm => arm.Number).ToArray()),
            new("epsilons", arms.Select(arm => arm.Arm.Epsilon).ToArray()),
            new("smoothing", arms.Select(arm => TemperDb.Word(arm.Arm.Smoothing)).ToArray()),
            new("learning_rates", arms.Select(arm => arm.Arm.LearningRate).ToArray()),
            new("models", arms.Select(arm => TemperDb.Word(arm.Arm.Model)).ToArray()),
            new("label_noise", arms.Select(arm => arm.Arm.LabelNoise).ToArray()),
            new("job_ids", jobs.Select(_ => Guid.CreateVersion7()).ToArray()),
            new("job_arms", jobs.Select(job => job.Arm).ToArray()),
            new("seeds", jobs.Select(job => job.Spec.Seed).ToArray()),
            new("specs", NpgsqlDbType.Array | NpgsqlDbType.Jsonb) { Value = jobs.Select(job => Json.Write(job.Spec)).ToArray() },
        ];

    /// <summary>Parts of a statement that store them for each row of `study (id)`.</summary>
    private const string InsertArmsAndJobs = """
        new_arms AS (
            INSERT INTO arms (study_id, arm, epsilon, smoothing, learning_rate, model, label_noise)
            SELECT study.id, grid.* FROM study, unnest(@arms, @epsilons, @smoothing, @learning_rates, @models, @label_noise) grid),
        new_jobs AS (
            INSERT INTO jobs (id, spec, study_id, arm, seed, state, attempt, failures)
            SELECT job.id, job.spec, study.id, job.arm, job.seed, 'queued', 0, 0
            FROM study, unnest(@job_ids, @specs, @job_arms, @seeds) WITH ORDINALITY AS job (id, spec, arm, seed, place)
            ORDER BY job.place)
        """;
}
