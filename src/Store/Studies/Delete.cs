using Npgsql;
using Temper.Store.Notifications;

namespace Temper.Store.Studies;

public sealed partial class StudyQueue
{
    /// <summary>Deletes a study that has no running job, with all its jobs and their results.</summary>
    /// <returns>False while one of its jobs runs; null when there is no such study.</returns>
    public Task<bool?> DeleteAsync(Guid id, CancellationToken cancellationToken) =>
        DeleteAsync(id, "state <> 'running'", "true", [], cancellationToken);

    /// <summary>
    /// Deletes a study that is older than <paramref name="age"/> if all its jobs ended longer ago than that and neither the study
    /// nor a job is pinned, and no notification of them is pending.
    /// </summary>
    /// <returns>False when the study does not qualify; null when there is no such study.</returns>
    internal Task<bool?> DeleteExpiredAsync(Guid id, TimeSpan age, CancellationToken cancellationToken) =>
        DeleteAsync(
            id,
            $"finished_at < now() - @age AND NOT pinned AND NOT {NotificationQueue.IsOpenJob} AND NOT {NotificationQueue.IsOpenStudy}",
            "NOT pinned AND created_at < now() - @age",
            [new("age", age)],
            cancellationToken
        );

    /// <param name="jobs">SQL condition on the jobs: nothing is deleted unless every job meets it.</param>
    /// <param name="study">SQL condition on the study: nothing is deleted unless the study meets it.</param>
    private async Task<bool?> DeleteAsync(
        Guid id,
        string jobs,
        string study,
        NpgsqlParameter[] parameters,
        CancellationToken cancellationToken
    )
    {
        await using var connection = await database.OpenConnectionAsync(cancellationToken);
        await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
        if (await LockAsync(connection, id, cancellationToken) is null)
            return null;
        // The jobs go first: their foreign key to the arms prevents the deletion of the study while a job is left.
        await ExecuteAsync(
            connection,
            $"DELETE FROM jobs WHERE id = ANY (ARRAY(SELECT id FROM jobs WHERE study_id = @id ORDER BY id FOR UPDATE)) AND {jobs}",
            cancellationToken,
            [new("id", id), .. parameters]
        );
        await using var left = new NpgsqlCommand("SELECT EXISTS (SELECT FROM jobs WHERE study_id = @id)", connection)
        {
            Parameters = { new("id", id) },
        };
        if ((bool)(await left.ExecuteScalarAsync(cancellationToken))!)
            return false; // nothing is committed
        await using var delete = new NpgsqlCommand($"DELETE FROM studies WHERE id = @id AND {study}", connection)
        {
            CommandTimeout = CommandSeconds,
        };
        delete.Parameters.Add(new("id", id));
        foreach (var parameter in parameters)
            delete.Parameters.Add(parameter.Clone());
        if (await delete.ExecuteNonQueryAsync(cancellationToken) == 0)
            return false;
        await transaction.CommitAsync(cancellationToken);
        return true;
    }
}
