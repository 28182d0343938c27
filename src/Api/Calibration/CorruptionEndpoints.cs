using Microsoft.AspNetCore.Http.HttpResults;
using Temper.Api.Http;
using Temper.Domain.Datasets;
using Temper.Domain.Jobs;
using Temper.Store;

namespace Temper.Api.Calibration;

/// <summary>The figures of a job's model on corrupted test images.</summary>
/// <param name="Job">Id of the job.</param>
/// <param name="Temperature">T of the figures after temperature. It is fitted on the validation split, which is not corrupted.</param>
/// <param name="Clean">The figures on the test images as they are.</param>
/// <param name="Rows">One for each kind and strength, kind by kind, each with its strengths 1 to 5.</param>
/// <param name="Means">For each kind the means over its strengths.</param>
/// <param name="Mean">The means over all kinds and strengths.</param>
public sealed record CorruptionsResponse(
    Guid Job,
    double Temperature,
    SplitScores Clean,
    IReadOnlyList<CorruptionRow> Rows,
    IReadOnlyList<CorruptionMean> Means,
    SplitScores Mean
)
{
    internal static CorruptionsResponse Of(Guid job, Scores scores, IReadOnlyList<CorruptionScores> corruptions) =>
        new(
            job,
            scores.Temperature,
            scores.Test,
            [.. corruptions.Select(CorruptionRow.Of)],
            [.. corruptions.GroupBy(one => one.Corruption.Kind).Select(kind => new CorruptionMean(kind.Key, MeanOf(kind)))],
            MeanOf(corruptions)
        );

    private static SplitScores MeanOf(IEnumerable<CorruptionScores> scores) => SplitScores.Mean([.. scores.Select(one => one.Scores)]);
}

/// <summary>The figures on test images that were corrupted in one way.</summary>
/// <param name="Kind">What was done to the images.</param>
/// <param name="Strength">1 to 5.</param>
/// <param name="Severity">The number behind the strength. Noise: standard deviation as a share of 255. Blur: standard deviation in
/// pixels of an image whose smaller side is 32. Rotation: degrees. Contrast: factor on the distance to the mean.</param>
/// <param name="Scores">The figures.</param>
public sealed record CorruptionRow(CorruptionKind Kind, int Strength, double Severity, SplitScores Scores)
{
    internal static CorruptionRow Of(CorruptionScores one) =>
        new(one.Corruption.Kind, one.Corruption.Strength, one.Corruption.Severity, one.Scores);
}

/// <summary>The means over the strengths of one kind of corruption.</summary>
/// <param name="Kind">What was done to the images.</param>
/// <param name="Scores">The means of the figures.</param>
public sealed record CorruptionMean(CorruptionKind Kind, SplitScores Scores);

internal static class CorruptionEndpoints
{
    public static void MapCorruptions(this RouteGroupBuilder jobs) =>
        jobs.MapGet("/corruptions", CorruptionsAsync).Produces<CorruptionsResponse>().Produces(StatusCodes.Status304NotModified);

    private static async Task<IResult> CorruptionsAsync(
        HttpRequest request,
        TemperDb db,
        JobReader reader,
        Guid id,
        CancellationToken cancellation
    )
    {
        if (await CalibrationEndpoints.RefusalAsync(db, id, CalibrationEndpoints.Need.Success, cancellation) is { } refusal)
            return refusal;
        if (await reader.CorruptionsAsync(id) is not var (scores, corruptions))
            return NotEvaluated(id);
        var response = CorruptionsResponse.Of(id, scores, corruptions);
        return request.IsKnownAs(EntityTags.Of(response)) ? EntityTags.NotModified : TypedResults.Ok(response);
    }

    private static ProblemHttpResult NotEvaluated(Guid id) =>
        Problems.Of(
            StatusCodes.Status404NotFound,
            "The job has no figures under corruption.",
            $"Job {id} was submitted without `corruptions: true`, or its validation split had only one image."
        );
}
