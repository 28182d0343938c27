using Npgsql;
using NpgsqlTypes;

namespace Temper.Store.Tenants;

/// <summary>What a tenant may use at most; null is unlimited.</summary>
public sealed record TenantQuotas
{
    /// <summary>The most jobs that may be queued after a submission, a retry or a resumption.</summary>
    public int? MaxQueued { get; init; }

    /// <summary>The most jobs that run at once.</summary>
    public int? MaxRunning { get; init; }

    /// <summary>No job begins in a calendar month (UTC) once the attempts have taken this many seconds.</summary>
    public long? MaxDeviceSecondsPerMonth { get; init; }

    /// <summary>The most bytes of uploaded data sets and evaluations after an upload; those of the tenant's jobs do not count.</summary>
    public long? MaxUploadedBytes { get; init; }
}

/// <summary>A tenant with what it uses now.</summary>
/// <param name="DeviceSecondsThisMonth">Seconds of the attempts that ended in this month (UTC), and of those that run.</param>
/// <param name="UploadedBytes">Bytes of the data sets and the evaluations.</param>
public sealed record TenantState(
    string Name,
    int Queued,
    int Running,
    double DeviceSecondsThisMonth,
    long UploadedBytes,
    TenantQuotas Quotas
);

/// <summary>The tenants: who owns what, their quotas, and their turns in the queue.</summary>
/// <param name="polls">The pool of the short statements of polls. Only the lookup of owners uses it.</param>
public sealed class TenantStore(NpgsqlDataSource database, NpgsqlDataSource polls)
{
    /// <summary>The tenant of what was stored without one.</summary>
    public const string Default = "default";

    /// <summary>SQLSTATE of the error of a statement that would queue more jobs than the tenant's quota allows.</summary>
    public const string QuotaReached = "TQ001";

    /// <summary>SQLSTATE of the error of a statement that would store more than the tenant's quota of uploaded bytes.</summary>
    public const string UploadsReached = "TQ002";

    private const string ThisMonth = "date_trunc('month', now() AT TIME ZONE 'UTC')::date";

    /// <summary>
    /// Common table expressions for a claim: `turns (tenant, limited)` has the tenants with queued jobs that may run another, first the
    /// one whose turn it is. The first finds each tenant by one look into the index, however many jobs it has.
    /// </summary>
    internal const string Turns = $"""
        waiting (tenant) AS (
            (SELECT tenant FROM jobs WHERE state = 'queued' ORDER BY tenant LIMIT 1)
            UNION ALL
            SELECT (SELECT jobs.tenant FROM jobs WHERE state = 'queued' AND jobs.tenant > waiting.tenant ORDER BY jobs.tenant LIMIT 1)
            FROM waiting WHERE waiting.tenant IS NOT NULL),
        usage AS (
            SELECT tenant, sum(jobs) AS jobs, max(last) AS last, sum(seconds) AS seconds
            FROM (SELECT tenant, 1 AS jobs, claimed_at AS last, extract(epoch FROM clock_timestamp() - claimed_at)::float8 AS seconds
                  FROM jobs WHERE state = 'running'
                  UNION ALL
                  SELECT tenant, 0, last_claimed, device_seconds FROM tenant_usage WHERE month = {ThisMonth}) uses
            GROUP BY tenant),
        turns AS MATERIALIZED (
            SELECT tenant, max_running IS NOT NULL AS limited
            FROM waiting LEFT JOIN usage USING (tenant) LEFT JOIN tenants ON name = tenant
            WHERE tenant IS NOT NULL AND (coalesce(jobs, 0) < max_running) IS NOT FALSE
              AND (coalesce(seconds, 0) < max_device_seconds_per_month) IS NOT FALSE
            ORDER BY coalesce(jobs, 0), last NULLS FIRST, tenant)
        """;

    /// <summary>SQL expression over a row of jobs: why its tenant's quotas keep it queued; null when they do not.</summary>
    internal const string Wait =
        "CASE state WHEN 'queued' THEN (SELECT wait_of(tenants.name) FROM tenants WHERE tenants.name = jobs.tenant) END";

    private const string StateSql = $"""
        SELECT own.name, (SELECT count(*)::int FROM jobs WHERE tenant = own.name AND state = 'queued'),
               (SELECT count(*)::int FROM jobs WHERE tenant = own.name AND state = 'running'),
               device_seconds(own.name), uploaded_bytes(own.name), max_queued, max_running, max_device_seconds_per_month,
               max_uploaded_bytes
        """;

    /// <summary>
    /// SQL expression that fails with <see cref="QuotaReached"/> when more jobs of the tenant are queued than its quota allows,
    /// including those that the statement has queued. Concurrent statements of a tenant with this quota wait here for each other.
    /// </summary>
    /// <param name="tenant">SQL expression; null checks nothing.</param>
    internal static string CheckQueued(string tenant) => $"check_queued({tenant})";

    /// <summary>
    /// Ends the transaction of an upload with <see cref="UploadsReached"/> when the tenant's quota is exceeded with what it has stored.
    /// Concurrent uploads of a tenant with this quota wait here for each other.
    /// </summary>
    internal static async Task CheckUploadedAsync(NpgsqlConnection connection, string tenant, CancellationToken cancellationToken)
    {
        await using var check = new NpgsqlCommand("SELECT check_uploaded($1)", connection) { Parameters = { new() { Value = tenant } } };
        await check.ExecuteNonQueryAsync(cancellationToken);
    }

    /// <summary>SQL that adds ended attempts to the usage of their tenants.</summary>
    /// <param name="ended">A FROM clause with `tenant` and `claimed_at` of each attempt.</param>
    internal static string AddUsage(string ended) =>
        $"""
            INSERT INTO tenant_usage (month, tenant, part, device_seconds, last_claimed)
                SELECT {ThisMonth}, tenant, pg_backend_pid() % 8, sum(extract(epoch FROM clock_timestamp() - claimed_at)), max(claimed_at)
                FROM {ended} GROUP BY tenant ORDER BY tenant
                ON CONFLICT (month, tenant, part) DO UPDATE SET
                    device_seconds = tenant_usage.device_seconds + excluded.device_seconds,
                    last_claimed = greatest(tenant_usage.last_claimed, excluded.last_claimed)
            """;

    /// <returns>The tenants that own the rows with these ids; an id without a row is missing.</returns>
    /// <param name="table">`jobs`, `studies` or `evaluations`.</param>
    public async Task<IReadOnlyDictionary<Guid, string>> OwnersAsync(string table, IEnumerable<Guid> ids)
    {
        await using var command = polls.CreateCommand($"SELECT id, tenant FROM {table} WHERE id = ANY ($1)");
        command.Parameters.Add(new NpgsqlParameter<Guid[]> { TypedValue = [.. ids] });
        await using var row = await command.ExecuteReaderAsync();
        var owners = new Dictionary<Guid, string>();
        while (await row.ReadAsync())
            owners[row.GetGuid(0)] = row.GetString(1);
        return owners;
    }

    /// <returns>The tenant. One that has nothing and no quotas is there too.</returns>
    public async Task<TenantState> FindAsync(string name, CancellationToken cancellationToken) =>
        (await ReadAsync("VALUES ($1)", name, cancellationToken)).Single();

    /// <param name="own">A tenant to list in any case.</param>
    /// <returns>The tenants that have a key, quotas, jobs that wait or run, or attempts, by name.</returns>
    public Task<IReadOnlyList<TenantState>> ListAsync(string own, CancellationToken cancellationToken) =>
        ReadAsync(
            """
            VALUES ($1) UNION SELECT name FROM tenants UNION SELECT tenant FROM keys UNION SELECT tenant FROM tenant_usage
            UNION SELECT tenant FROM jobs WHERE state = 'queued' UNION SELECT tenant FROM jobs WHERE state = 'running'
            """,
            own,
            cancellationToken
        );

    /// <param name="names">SQL of the names; $1 is <paramref name="name"/>.</param>
    private async Task<IReadOnlyList<TenantState>> ReadAsync(string names, string name, CancellationToken cancellationToken)
    {
        await using var command = database.CreateCommand(
            $"{StateSql} FROM ({names}) own (name) LEFT JOIN tenants ON tenants.name = own.name ORDER BY own.name"
        );
        command.Parameters.AddWithValue(name);
        await using var row = await command.ExecuteReaderAsync(cancellationToken);
        var found = new List<TenantState>();
        while (await row.ReadAsync(cancellationToken))
            found.Add(
                new(
                    row.GetString(0),
                    row.GetInt32(1),
                    row.GetInt32(2),
                    row.GetDouble(3),
                    row.GetInt64(4),
                    new()
                    {
                        MaxQueued = row.IsDBNull(5) ? null : row.GetInt32(5),
                        MaxRunning = row.IsDBNull(6) ? null : row.GetInt32(6),
                        MaxDeviceSecondsPerMonth = row.IsDBNull(7) ? null : row.GetInt64(7),
                        MaxUploadedBytes = row.IsDBNull(8) ? null : row.GetInt64(8),
                    }
                )
            );
        return found;
    }

    /// <summary>Replaces the quotas. Jobs that run or are queued stay.</summary>
    public async Task SetAsync(string name, TenantQuotas quotas, CancellationToken cancellationToken)
    {
        await using var command = database.CreateCommand(
            """
            INSERT INTO tenants (name, max_queued, max_running, max_device_seconds_per_month, max_uploaded_bytes)
            VALUES ($1, $2, $3, $4, $5)
            ON CONFLICT (name) DO UPDATE SET max_queued = excluded.max_queued, max_running = excluded.max_running,
                max_device_seconds_per_month = excluded.max_device_seconds_per_month,
                max_uploaded_bytes = excluded.max_uploaded_bytes
            """
        );
        command.Parameters.AddWithValue(name);
        command.Parameters.Add(Number(quotas.MaxQueued, NpgsqlDbType.Integer));
        command.Parameters.Add(Number(quotas.MaxRunning, NpgsqlDbType.Integer));
        command.Parameters.Add(Number(quotas.MaxDeviceSecondsPerMonth, NpgsqlDbType.Bigint));
        command.Parameters.Add(Number(quotas.MaxUploadedBytes, NpgsqlDbType.Bigint));
        await command.ExecuteNonQueryAsync(cancellationToken);
    }

    private static NpgsqlParameter Number(object? value, NpgsqlDbType type) => new() { Value = value ?? DBNull.Value, NpgsqlDbType = type };
}
