using NpgsqlTypes;
using Temper.Domain.Serialization;
using Temper.Domain.Studies;
using Temper.Store.Queue;
using Temper.Store.Tenants;

namespace Temper.Store.Studies;

public sealed partial class StudyQueue
{
    /// <summary>Stores a study and queues all its jobs in one statement, all or nothing.</summary>
    /// <param name="tenant">Whose study it is.</param>
    /// <param name="spec">The caller has checked it and listed its seeds.</param>
    /// <param name="key">The submitter's idempotency key for this submission; null without one.</param>
    /// <exception cref="Npgsql.PostgresException">With <see cref="TenantStore.QuotaReached"/>: the tenant may not queue that many
    /// jobs.</exception>
    /// <returns>The study with this key and the spec submitted with it, which may differ from <paramref name="spec"/>; whether it
    /// existed before.</returns>
    public async Task<(Guid Id, StudySpec Spec, bool WasThere)> SubmitAsync(
        string tenant,
        StudySpec spec,
        string? key,
        CancellationToken cancellationToken
    )
    {
        while (true) // the existing study may be deleted before it is read
        {
            if (key is not null && await FindByKeyAsync(tenant, key, cancellationToken) is { } earlier)
                return (earlier.Id, earlier.Spec, true);
            var id = Guid.CreateVersion7();
            if (await InsertAsync(id, tenant, spec, key, cancellationToken))
                return (id, spec, false);
        }
    }

    /// <returns>The study that the tenant submitted with this key; null when it submitted none.</returns>
    public async Task<(Guid Id, StudySpec Spec)?> FindByKeyAsync(string tenant, string key, CancellationToken cancellationToken)
    {
        await using var command = database.CreateCommand(
            "SELECT id, submitted::text FROM studies WHERE tenant = $1 AND idempotency_key = $2"
        );
        command.Parameters.AddWithValue(tenant);
        command.Parameters.AddWithValue(key);
        await using var row = await command.ExecuteReaderAsync(cancellationToken);
        return await row.ReadAsync(cancellationToken) ? (row.GetGuid(0), TemperDb.Read<StudySpec>(row.GetString(1))) : null;
    }

    private async Task<bool> InsertAsync(Guid id, string tenant, StudySpec spec, string? key, CancellationToken cancellationToken)
    {
        StudyArm[] arms = [.. spec.Arms().Select((arm, number) => new StudyArm(number, arm, null))];
        var numbers = arms.ToDictionary(arm => arm.Arm, arm => arm.Number);
        await using var command = database.CreateCommand(
            $"""
            WITH study AS (
                INSERT INTO studies (id, tenant, spec, submitted, idempotency_key) VALUES (@id, @tenant, @spec, @spec, @key)
                ON CONFLICT (tenant, idempotency_key) WHERE idempotency_key IS NOT NULL DO NOTHING RETURNING id, tenant),
            {InsertArmsAndJobs}
            SELECT pg_notify('{JobQueue.Channel}', '{JobQueue.QueuedNotice}'),
                   (SELECT {TenantStore.CheckQueued("max(tenant)")} FROM new_jobs)
            FROM study
            """
        );
        command.CommandTimeout = CommandSeconds;
        command.Parameters.AddWithValue("id", id);
        command.Parameters.AddWithValue("tenant", tenant);
        command.Parameters.Add(new("spec", NpgsqlDbType.Jsonb) { Value = Json.Write(spec) });
        command.Parameters.Add(new("key", NpgsqlDbType.Text) { Value = (object?)key ?? DBNull.Value });
        command.Parameters.AddRange(Arrays(arms, [.. spec.Jobs().Select(job => (numbers[job.Arm], job.Spec))]));
        await using var row = await command.ExecuteReaderAsync(cancellationToken);
        return await row.ReadAsync(cancellationToken);
    }
}
