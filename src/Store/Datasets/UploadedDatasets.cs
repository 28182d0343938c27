using Microsoft.EntityFrameworkCore;
using Npgsql;
using NpgsqlTypes;
using Temper.Domain.Datasets;
using Temper.Domain.Serialization;
using Temper.Store.Rows;
using Temper.Store.Tenants;

namespace Temper.Store.Datasets;

/// <summary>A data set to store, whose content is already stored.</summary>
/// <param name="Tenant">Whose data set it is.</param>
public sealed record NewDataset(
    string Tenant,
    string Name,
    Guid ContentId,
    long Length,
    DatasetContent Content,
    DatasetDetails Details,
    byte[] Samples,
    byte[] Mean
);

/// <summary>The uploaded data sets: versions of names.</summary>
public sealed class UploadedDatasets(NpgsqlDataSource database)
{
    /// <summary>Constraints that keep a data set while a job or a study trains on it.</summary>
    public const string JobsConstraint = "fk_jobs_uploaded",
        StudiesConstraint = "fk_studies_uploaded";

    /// <returns>The version that the name names; without a version the newest. Null when there is none.</returns>
    public static async Task<(string Id, DatasetContent Content)?> FindContentAsync(
        TemperDb db,
        string tenant,
        DatasetName name,
        CancellationToken cancellationToken
    ) =>
        await Named(db, tenant, name).Select(set => new { set.Id, set.Content }).FirstOrDefaultAsync(cancellationToken) is { } found
            ? (found.Id, found.Content)
            : null;

    /// <returns>The tenant's sets with this name: one version, or all of them, newest first.</returns>
    public static IQueryable<DatasetRow> Named(TemperDb db, string tenant, DatasetName name)
    {
        var named = db.Datasets.AsNoTracking().Where(set => set.Tenant == tenant && set.Name == name.Name);
        if (name.Version is { } version)
            named = named.Where(set => set.Version == version);
        return named.OrderByDescending(set => set.Version);
    }

    /// <summary>
    /// Stores the next version of a name, unless one of its versions has this content. The row of the name is locked first, so
    /// two uploads of a name take turns.
    /// </summary>
    /// <returns>Id of the new version, or of the one that has this content; whether that existed before.</returns>
    /// <exception cref="PostgresException">With <see cref="TenantStore.UploadsReached"/>: the tenant may store no more.</exception>
    public async Task<(string Id, bool WasThere)> AddAsync(NewDataset set, CancellationToken cancellationToken)
    {
        await using var connection = await database.OpenConnectionAsync(cancellationToken);
        await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
        await using var count = new NpgsqlCommand(
            """
            INSERT INTO dataset_names (tenant, name, last_version) VALUES ($1, $2, 1)
            ON CONFLICT (tenant, name) DO UPDATE SET last_version = dataset_names.last_version + 1 RETURNING last_version
            """,
            connection
        );
        count.Parameters.AddWithValue(set.Tenant);
        count.Parameters.AddWithValue(set.Name);
        var version = (int)(await count.ExecuteScalarAsync(cancellationToken))!;
        if (await FindSameAsync(connection, set.Tenant, set.Name, set.Content.Sha256, cancellationToken) is { } same)
            return (same, true); // nothing is committed
        var id = new DatasetName(set.Name, version).ToString();
        await using var insert = new NpgsqlCommand(
            """
            INSERT INTO datasets (id, name, version, content_id, length, content, details, samples, mean, tenant)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
            """,
            connection
        );
        insert.Parameters.AddWithValue(id);
        insert.Parameters.AddWithValue(set.Name);
        insert.Parameters.AddWithValue(version);
        insert.Parameters.AddWithValue(set.ContentId);
        insert.Parameters.AddWithValue(set.Length);
        insert.Parameters.Add(new() { Value = Json.Write(set.Content), NpgsqlDbType = NpgsqlDbType.Jsonb });
        insert.Parameters.Add(new() { Value = Json.Write(set.Details), NpgsqlDbType = NpgsqlDbType.Jsonb });
        insert.Parameters.AddWithValue(set.Samples);
        insert.Parameters.AddWithValue(set.Mean);
        insert.Parameters.AddWithValue(set.Tenant);
        await insert.ExecuteNonQueryAsync(cancellationToken);
        await TenantStore.CheckUploadedAsync(connection, set.Tenant, cancellationToken);
        await transaction.CommitAsync(cancellationToken);
        return (id, false);
    }

    /// <returns>Id of the version of the tenant's name that has this content; null when none has.</returns>
    public async Task<string?> FindSameAsync(string tenant, string name, string sha256, CancellationToken cancellationToken)
    {
        await using var connection = await database.OpenConnectionAsync(cancellationToken);
        return await FindSameAsync(connection, tenant, name, sha256, cancellationToken);
    }

    /// <summary>
    /// Deletes a version, unless a job or a study trains on it. <see cref="UnusedContent"/> removes its bytes later.
    /// </summary>
    /// <returns>Whether it existed; the constraint that keeps it, null when it was deleted.</returns>
    public async Task<(bool WasThere, string? KeptBy)> DeleteAsync(string tenant, string id, CancellationToken cancellationToken)
    {
        await using var delete = database.CreateCommand("DELETE FROM datasets WHERE tenant = $1 AND id = $2");
        delete.Parameters.AddWithValue(tenant);
        delete.Parameters.AddWithValue(id);
        try
        {
            return (await delete.ExecuteNonQueryAsync(cancellationToken) > 0, null);
        }
        catch (PostgresException e) when (e.ConstraintName is JobsConstraint or StudiesConstraint)
        {
            return (true, e.ConstraintName);
        }
    }

    private static async Task<string?> FindSameAsync(
        NpgsqlConnection connection,
        string tenant,
        string name,
        string sha256,
        CancellationToken cancellationToken
    )
    {
        await using var find = new NpgsqlCommand("SELECT id FROM datasets WHERE tenant = $1 AND name = $2 AND sha256 = $3", connection);
        find.Parameters.AddWithValue(tenant);
        find.Parameters.AddWithValue(name);
        find.Parameters.AddWithValue(sha256);
        return (string?)await find.ExecuteScalarAsync(cancellationToken);
    }
}
