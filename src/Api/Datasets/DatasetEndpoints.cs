using Temper.Domain.Datasets;

namespace Temper.Api.Datasets;

/// <summary>The data sets that jobs can train on.</summary>
public sealed record DatasetsResponse(IReadOnlyList<DatasetCard> Items);

internal static class DatasetEndpoints
{
    public static void MapDatasets(this IEndpointRouteBuilder routes) =>
        routes.MapGet("/datasets", () => TypedResults.Ok(new DatasetsResponse(DatasetCatalog.All))).WithTags("Datasets");
}
