using Temper.Domain.Datasets;

namespace Temper.Api.Datasets;

/// <summary>What can be trained on.</summary>
public sealed record DatasetsResponse(IReadOnlyList<DatasetCard> Items);

internal static class DatasetEndpoints
{
    public static void MapDatasets(this IEndpointRouteBuilder routes) =>
        routes.MapGet("/datasets", () => TypedResults.Ok(new DatasetsResponse(DatasetCatalog.All)))
            .WithTags("Datasets")
            .WithSummary("List data sets")
            .WithDescription("What a job spec's `dataset` may name. Workers fetch the files when they first need them.");
}
