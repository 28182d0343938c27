using System.ComponentModel;
using System.Globalization;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Mvc;
using Microsoft.EntityFrameworkCore;
using Temper.Api.Http;
using Temper.Domain.Datasets;
using Temper.Store;
using Temper.Store.Datasets;
using Temper.Store.Keys;
using Temper.Store.Rows;

namespace Temper.Api.Datasets;

internal static class DatasetEndpoints
{
    private const int DefaultLimit = 200,
        LargestLimit = 1000;

    private static readonly FileRule Upload = new([FileRule.Raw, FileRule.Zip, FileRule.Form], MostFiles: 4)
    {
        RefusalBefore = WrongQuery,
        FaultOfStart = start =>
            FileKind.IsKnown(start) ? null : "must be an npz file, IDX files, or a zip file of them or of images; it is something else",
    };

    public static void MapDatasets(this IEndpointRouteBuilder routes)
    {
        var datasets = routes.MapGroup("/datasets").WithTags("Datasets").ProducesProblem(StatusCodes.Status503ServiceUnavailable);

        datasets.MapGet("/", ListAsync).ProducesValidationProblem();

        datasets
            .MapPost("/", AddAsync)
            .Needs(Scope.Submit)
            .WithMetadata(Upload)
            .Produces<DatasetResponse>()
            .Produces<DatasetResponse>(StatusCodes.Status201Created)
            .ProducesValidationProblem()
            .ProducesProblem(StatusCodes.Status408RequestTimeout)
            .ProducesProblem(StatusCodes.Status413PayloadTooLarge)
            .ProducesProblem(StatusCodes.Status415UnsupportedMediaType)
            .ProducesProblem(StatusCodes.Status429TooManyRequests);

        datasets.MapGet("/{name}", FindAsync).ProducesProblem(StatusCodes.Status404NotFound);

        datasets
            .MapDelete("/{name}", DeleteAsync)
            .Needs(Scope.Operate)
            .ProducesProblem(StatusCodes.Status404NotFound)
            .ProducesProblem(StatusCodes.Status409Conflict);

        MapPicture("samples.png", set => set.Samples);
        MapPicture("mean.png", set => set.Mean);

        void MapPicture(string path, System.Linq.Expressions.Expression<Func<DatasetRow, byte[]>> picture) =>
            datasets
                .MapGet(
                    $"/{{name}}/{path}",
                    async Task<Results<FileContentHttpResult, ProblemHttpResult>> (
                        HttpContext context,
                        TemperDb db,
                        [FromRoute] string name,
                        CancellationToken cancellation
                    ) =>
                        DatasetName.Read(name) is { } one
                        && await UploadedDatasets.Named(db, Caller.TenantOf(context), one).Select(picture).FirstOrDefaultAsync(cancellation)
                            is { } png
                            ? TypedResults.File(png, "image/png")
                            : NoSuchDataset(name)
                )
                .Produces<Stream>(StatusCodes.Status200OK, "image/png")
                .ProducesProblem(StatusCodes.Status404NotFound);
    }

    private static async Task<Results<Ok<DatasetPage>, ProblemHttpResult>> ListAsync(
        HttpRequest request,
        TemperDb db,
        [FromQuery, Description("Uploaded data sets on a page, 1 to 1000; 200 when absent.")] string? limit,
        [FromQuery, Description("The `next` of the page before.")] string? cursor,
        CancellationToken cancellation
    )
    {
        var (size, before, refusal) = Paging.ReadQuery(request, limit, cursor, DefaultLimit, LargestLimit);
        if (refusal is not null)
            return refusal;
        var tenant = Caller.TenantOf(request.HttpContext);
        var found = await db
            .Datasets.AsNoTracking()
            .Where(set => set.Tenant == tenant && (before == null || set.Sequence < before))
            .OrderByDescending(set => set.Sequence)
            .Take(size + 1)
            .Select(set => new { set.Sequence, Set = new StoredDataset(set.Id, set.Version, set.Content, null, set.CreatedAt) })
            .ToListAsync(cancellation);
        return TypedResults.Ok(
            new DatasetPage(
                [
                    .. before is null ? DatasetCatalog.All.Select(DatasetResponse.Of) : [],
                    .. found.Take(size).Select(one => DatasetResponse.Of(one.Set)),
                ],
                Paging.Next(found, size, one => one.Sequence)
            )
        );
    }

    private static async Task<Results<Ok<DatasetResponse>, ProblemHttpResult>> FindAsync(
        HttpContext context,
        TemperDb db,
        [FromRoute] string name,
        CancellationToken cancellation
    ) =>
        DatasetCatalog.Find(name) is { } card ? TypedResults.Ok(DatasetResponse.Of(card))
        : await FindUploadedAsync(db, Caller.TenantOf(context), name, cancellation) is { } set ? TypedResults.Ok(set)
        : NoSuchDataset(name);

    private static async Task<IResult> AddAsync(
        HttpRequest request,
        PostedFiles posted,
        TemperDb db,
        DatasetUpload upload,
        [FromQuery, Description("Name of the data set; a name that is there gets the next version.")] string? name,
        [FromQuery, Description("Determines the test part of an upload that has none; a whole number from 0, 0 when absent.")] string? seed,
        CancellationToken cancellation
    )
    {
        if (posted.Refusal is { } refusal)
            return refusal;
        try
        {
            var errors = new SpecErrors();
            var tenant = Caller.TenantOf(request.HttpContext);
            if (await upload.AddAsync(tenant, name!, posted.Files, SeedOf(seed)!.Value, errors, cancellation) is not var (id, wasThere))
                return Problems.Invalid("The data set is wrong.", errors.ByField());
            if (await FindUploadedAsync(db, tenant, id, cancellation) is not { } set)
                return NoSuchDataset(id); // another request has just deleted it
            return wasThere ? TypedResults.Ok(set) : TypedResults.Created($"/datasets/{id}", set);
        }
        catch (IOException e) when (TemporaryFile.IsFullDisk(e))
        {
            return TemporaryFile.NoRoom(request.HttpContext);
        }
    }

    private static ProblemHttpResult? WrongQuery(HttpRequest request)
    {
        var errors = new Dictionary<string, string[]>();
        Problems.AddUnknownParameters(request, errors, "name", "seed");
        if (!DatasetName.IsFree(request.Query["name"]))
            errors.TryAdd("name", [$"must be {DatasetName.Allowed}; got {request.Query["name"]}"]);
        if (SeedOf(request.Query["seed"]) is null)
            errors.TryAdd("seed", [$"must be a whole number from 0 to {int.MaxValue}; got {request.Query["seed"]}"]);
        return errors.Count > 0 ? Problems.Invalid("The query is wrong.", errors) : null;
    }

    /// <returns>0 when absent; null when it is wrong.</returns>
    private static int? SeedOf(string? seed) =>
        seed is null ? 0
        : int.TryParse(seed, NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number
        : null;

    private static async Task<Results<NoContent, ProblemHttpResult>> DeleteAsync(
        HttpContext context,
        TemperDb db,
        UploadedDatasets datasets,
        [FromRoute] string name,
        CancellationToken cancellation
    )
    {
        var tenant = Caller.TenantOf(context);
        if (DatasetCatalog.Find(name) is not null)
            return Problems.Of(
                StatusCodes.Status409Conflict,
                "The data set cannot be deleted.",
                $"Every installation has {name}; only uploaded data sets can be deleted."
            );
        // The newest version may be another one when the request is repeated.
        if (DatasetName.Read(name) is { Version: null })
            return Problems.Invalid("The name is wrong.", new() { ["name"] = [$"must name a version, such as {name}@1"] });
        if (
            DatasetName.Read(name) is not { } one
            || await UploadedDatasets.FindContentAsync(db, tenant, one, cancellation) is not var (id, _)
            || await datasets.DeleteAsync(tenant, id, cancellation) is not (WasThere: true, var keptBy)
        )
            return NoSuchDataset(name);
        return keptBy is null
            ? TypedResults.NoContent()
            : Problems.Of(
                StatusCodes.Status409Conflict,
                "The data set is in use.",
                keptBy == UploadedDatasets.JobsConstraint
                    ? $"Jobs train or trained on {id}: `GET /jobs?dataset={id}` lists them. Delete them first."
                    : $"A study is on {id}. Delete it first."
            );
    }

    private static async Task<DatasetResponse?> FindUploadedAsync(
        TemperDb db,
        string tenant,
        string name,
        CancellationToken cancellation
    ) =>
        DatasetName.Read(name) is { } one
        && await UploadedDatasets
            .Named(db, tenant, one)
            .Select(set => new StoredDataset(set.Id, set.Version, set.Content, set.Details, set.CreatedAt))
            .FirstOrDefaultAsync(cancellation)
            is { } set
            ? DatasetResponse.Of(set)
            : null;

    private static ProblemHttpResult NoSuchDataset(string name) =>
        Problems.Of(StatusCodes.Status404NotFound, "No such data set.", $"There is no data set {name}. `GET /datasets` lists them.");
}
