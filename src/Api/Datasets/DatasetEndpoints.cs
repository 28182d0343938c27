using System.ComponentModel;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Mvc;
using Microsoft.EntityFrameworkCore;
using Temper.Api.Arrays;
using Temper.Api.Http;
using Temper.Domain.Datasets;
using Temper.Store;
using Temper.Store.Datasets;
using Temper.Store.Rows;

namespace Temper.Api.Datasets;

internal static class DatasetEndpoints
{
    /// <summary>Uploaded sets in a list.</summary>
    private const int MostListed = 1000;

    public static void MapDatasets(this IEndpointRouteBuilder routes)
    {
        var datasets = routes.MapGroup("/datasets").WithTags("Datasets").ProducesProblem(StatusCodes.Status503ServiceUnavailable);

        datasets.MapGet("/", ListAsync);

        datasets
            .MapPost("/", AddAsync)
            .Produces<DatasetResponse>()
            .Produces<DatasetResponse>(StatusCodes.Status201Created)
            .ProducesValidationProblem()
            .ProducesProblem(StatusCodes.Status413PayloadTooLarge)
            .ProducesProblem(StatusCodes.Status415UnsupportedMediaType)
            .ProducesProblem(StatusCodes.Status429TooManyRequests);

        datasets.MapGet("/{name}", FindAsync).ProducesProblem(StatusCodes.Status404NotFound);

        datasets
            .MapDelete("/{name}", DeleteAsync)
            .ProducesProblem(StatusCodes.Status404NotFound)
            .ProducesProblem(StatusCodes.Status409Conflict);

        MapPicture("samples.png", set => set.Samples);
        MapPicture("mean.png", set => set.Mean);

        void MapPicture(string path, System.Linq.Expressions.Expression<Func<DatasetRow, byte[]>> picture) =>
            datasets
                .MapGet(
                    $"/{{name}}/{path}",
                    async Task<Results<FileContentHttpResult, ProblemHttpResult>> (
                        TemperDb db,
                        [FromRoute] string name,
                        CancellationToken cancellation
                    ) =>
                        DatasetName.Read(name) is { } one
                        && await UploadedDatasets.Named(db, one).Select(picture).FirstOrDefaultAsync(cancellation) is { } png
                            ? TypedResults.File(png, "image/png")
                            : NoSuchDataset(name)
                )
                .Produces<Stream>(StatusCodes.Status200OK, "image/png")
                .ProducesProblem(StatusCodes.Status404NotFound);
    }

    private static async Task<Ok<DatasetsResponse>> ListAsync(TemperDb db, CancellationToken cancellation)
    {
        var uploaded = await db
            .Datasets.AsNoTracking()
            .OrderByDescending(set => set.CreatedAt)
            .Take(MostListed)
            .Select(set => new StoredDataset(set.Id, set.Version, set.Content, null, set.CreatedAt))
            .ToListAsync(cancellation);
        return TypedResults.Ok(
            new DatasetsResponse([.. DatasetCatalog.All.Select(DatasetResponse.Of), .. uploaded.Select(DatasetResponse.Of)])
        );
    }

    private static async Task<Results<Ok<DatasetResponse>, ProblemHttpResult>> FindAsync(
        TemperDb db,
        [FromRoute] string name,
        CancellationToken cancellation
    ) =>
        DatasetCatalog.Find(name) is { } card ? TypedResults.Ok(DatasetResponse.Of(card))
        : await FindUploadedAsync(db, name, cancellation) is { } set ? TypedResults.Ok(set)
        : NoSuchDataset(name);

    private static async Task<IResult> AddAsync(
        HttpRequest request,
        UploadedBody body,
        TemperDb db,
        DatasetUpload upload,
        [FromQuery, Description("Name of the data set; a name that is there gets the next version.")] string? name,
        [FromQuery, Description("Determines the test part of an upload that has none; a whole number from 0, 0 when absent.")] string? seed,
        CancellationToken cancellation
    )
    {
        if (body.Refusal is { } refusal)
            return refusal;
        string id;
        bool wasThere;
        try
        {
            (id, wasThere) = await upload.AddAsync(name!, body.Files, UploadedBody.SeedOf(seed)!.Value, cancellation);
        }
        catch (WrongBodyException e)
        {
            return Problems.Invalid("The data set is wrong.", new() { [e.Part] = [e.Sentence] });
        }
        catch (IOException e) when (UploadedBody.IsFullDisk(e))
        {
            return UploadedBody.NoRoom(request.HttpContext);
        }
        if (await FindUploadedAsync(db, id, cancellation) is not { } set)
            return NoSuchDataset(id); // another request has just deleted it
        return wasThere ? TypedResults.Ok(set) : TypedResults.Created($"/datasets/{id}", set);
    }

    private static async Task<Results<NoContent, ProblemHttpResult>> DeleteAsync(
        TemperDb db,
        UploadedDatasets datasets,
        [FromRoute] string name,
        CancellationToken cancellation
    )
    {
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
            || await UploadedDatasets.FindContentAsync(db, one, cancellation) is not var (id, _)
            || await datasets.DeleteAsync(id, cancellation) is not (WasThere: true, var keptBy)
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

    private static async Task<DatasetResponse?> FindUploadedAsync(TemperDb db, string name, CancellationToken cancellation) =>
        DatasetName.Read(name) is { } one
        && await UploadedDatasets
            .Named(db, one)
            .Select(set => new StoredDataset(set.Id, set.Version, set.Content, set.Details, set.CreatedAt))
            .FirstOrDefaultAsync(cancellation)
            is { } set
            ? DatasetResponse.Of(set)
            : null;

    private static ProblemHttpResult NoSuchDataset(string name) =>
        Problems.Of(StatusCodes.Status404NotFound, "No such data set.", $"There is no data set {name}. `GET /datasets` lists them.");
}
