using Microsoft.EntityFrameworkCore;
using Temper.Api.Http;
using Temper.Domain.Datasets;
using Temper.Domain.Jobs;
using Temper.Store;
using Temper.Store.Datasets;

namespace Temper.Api.Datasets;

/// <summary>Looks up the names of data sets, because the rules of a spec read no database.</summary>
internal static class UploadedNames
{
    /// <summary>Puts version, shape and hash of an uploaded data set into a spec.</summary>
    /// <param name="earlier">
    /// Finds the data set of an earlier submission with the same Idempotency-Key. A name without a version means the version that it
    /// had then, although there is a newer one.
    /// </param>
    /// <param name="path">Prefix of field names in errors, such as `job.`.</param>
    /// <returns>The spec. Without `data` when there is no such data set, which the rule of `dataset` then reports.</returns>
    public static async Task<JobSpec> ResolveAsync(
        TemperDb db,
        string tenant,
        JobSpec spec,
        Func<Task<string?>> earlier,
        SpecErrors errors,
        string path,
        CancellationToken cancellation
    )
    {
        if (spec.Dataset is null)
            return spec with { Data = null };
        if (DatasetCatalog.Find(spec.Dataset) is { } card)
        {
            if (spec.Data is not null)
                errors.Add($"{path}data", "must be null: only an uploaded data set has it");
            return spec with { Dataset = card.Name, Data = null };
        }
        var name = DatasetName.Read(spec.Dataset);
        if (name is { Version: null } && DatasetName.Read(await earlier()) is { } before && before.Name == name.Name)
            name = before;
        var found = name is null ? null : await UploadedDatasets.FindContentAsync(db, tenant, name, cancellation);
        if (found is not var (id, content))
            return spec with { Data = null };
        if (spec.Data is not null && spec.Data != content)
            errors.Add($"{path}data", $"must be null, or as the service wrote it for {id}");
        return spec with { Dataset = id, Data = content };
    }

    /// <returns>What the specs of the jobs on a data set call it: every version when the name has none; empty when there is no
    /// such set.</returns>
    public static async Task<IReadOnlyList<string>> OfJobsAsync(
        TemperDb db,
        string tenant,
        string dataset,
        CancellationToken cancellation
    ) =>
        DatasetCatalog.Find(dataset) is { } card ? [card.Name]
        : DatasetName.Read(dataset) is { } name
            ? await UploadedDatasets.Named(db, tenant, name).Select(set => set.Id).ToListAsync(cancellation)
        : [];
}
