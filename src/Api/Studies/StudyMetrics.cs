using System.ComponentModel;
using System.Runtime.CompilerServices;
using Microsoft.AspNetCore.Mvc;
using Temper.Api.Http;
using Temper.Domain.Jobs;
using Temper.Domain.Smoothing;
using Temper.Domain.Studies;
using Temper.Store;
using Temper.Store.Studies;

namespace Temper.Api.Studies;

/// <summary>The metrics of all epochs of a study's jobs: by job in the order of submission, then by epoch.</summary>
public sealed record StudyMetricsResponse(IAsyncEnumerable<StudyEpoch> Items);

/// <summary>The metrics of one epoch of one of a study's jobs, with the values in which the jobs differ.</summary>
/// <param name="Study">Id of the study.</param>
/// <param name="Job">Id of the job.</param>
/// <param name="Epsilon">Label smoothing ε of the job.</param>
/// <param name="Smoothing">The meaning of ε.</param>
/// <param name="BaseLearningRate">`learningRate` of the job's spec. `learningRate` here is that of the epoch.</param>
/// <param name="Model">The model.</param>
/// <param name="LabelNoise">Share of training labels replaced by another class.</param>
/// <param name="Settings">The fields and values that come from the study's `grid`; an empty object without one.</param>
/// <param name="Seed">The seed.</param>
/// <param name="Epoch">From 1.</param>
/// <param name="TrainLoss">The loss that the job minimizes, nats; for cross-entropy at least H(q).</param>
/// <param name="TrainAccuracy">Share of top-1 hits on the images trained on.</param>
/// <param name="ValidationLoss">Mean negative log-likelihood against hard labels after the epoch, nats.</param>
/// <param name="ValidationAccuracy">Share of top-1 hits on the validation split.</param>
/// <param name="Ece">Expected calibration error on the validation split, 15 equal-width bins.</param>
/// <param name="SignedGap">Mean confidence − accuracy on the validation split: positive is over-confident.</param>
/// <param name="LearningRate">Learning rate of this epoch.</param>
/// <param name="Seconds">Training and validation time of the epoch.</param>
/// <param name="ImagesPerSecond">Images trained per second of training time, without validation.</param>
/// <param name="ValidationLossAfterTemperature">ValidationLoss after a cross-fitted temperature; null with fewer than two validation
/// images, and in epochs of older builds.</param>
public sealed record StudyEpoch(
    Guid Study,
    Guid Job,
    double Epsilon,
    SmoothingConvention Smoothing,
    double BaseLearningRate,
    ModelName Model,
    double LabelNoise,
    ArmSettings Settings,
    long Seed,
    int Epoch,
    double TrainLoss,
    double TrainAccuracy,
    double ValidationLoss,
    double ValidationAccuracy,
    double Ece,
    double SignedGap,
    double LearningRate,
    double Seconds,
    double ImagesPerSecond,
    double? ValidationLossAfterTemperature
)
{
    internal static StudyEpoch Of(Guid study, CurveJob job, EpochMetrics epoch) =>
        new(
            study,
            job.Id,
            job.Arm.Epsilon,
            job.Arm.Smoothing,
            job.Arm.LearningRate,
            job.Arm.Model,
            job.Arm.LabelNoise,
            job.Arm.Settings,
            job.Seed,
            epoch.Epoch,
            epoch.TrainLoss,
            epoch.TrainAccuracy,
            epoch.ValidationLoss,
            epoch.ValidationAccuracy,
            epoch.Ece,
            epoch.SignedGap,
            epoch.LearningRate,
            epoch.Seconds,
            epoch.ImagesPerSecond,
            epoch.ValidationLossAfterTemperature
        );
}

internal static class StudyMetricsEndpoint
{
    private const int JobsAtOnce = 500;

    public static void MapStudyMetrics(this IEndpointRouteBuilder studies) =>
        studies
            .MapGet("/{id:guid}/metrics", MetricsAsync)
            .Produces<StudyMetricsResponse>(StatusCodes.Status200OK, "application/json", "text/csv")
            .ProducesValidationProblem()
            .ProducesProblem(StatusCodes.Status404NotFound);

    private static async Task<IResult> MetricsAsync(
        HttpRequest request,
        StudyReader studies,
        JobReader jobs,
        Reconnection reconnection,
        Guid id,
        [FromQuery, Description("json or csv; json when absent.")] string? format,
        CancellationToken cancellation
    )
    {
        var errors = new Dictionary<string, string[]>();
        Problems.AddUnknownParameters(request, errors, "format");
        Problems.AddUnlessFormat(format, errors);
        if (errors.Count > 0)
            return Problems.Invalid("The query is wrong.", errors);
        if (!await studies.ExistsAsync(id, cancellation))
            return Problems.NoSuchStudy(id);
        var epochs = HttpMethods.IsHead(request.Method)
            ? AsyncEnumerable.Empty<StudyEpoch>()
            : EpochsAsync(studies, jobs, reconnection, id, cancellation);
        return format == "csv" ? Csv.Of(epochs, $"{id}-metrics.csv", cancellation) : TypedResults.Ok(new StudyMetricsResponse(epochs));
    }

    /// <summary>
    /// Reads one job after another while the answer is sent. In memory are the epochs of one job, 10,000 at most. No connection
    /// is held while they are sent, even to a slow reader.
    /// </summary>
    private static async IAsyncEnumerable<StudyEpoch> EpochsAsync(
        StudyReader studies,
        JobReader jobs,
        Reconnection reconnection,
        Guid id,
        [EnumeratorCancellation] CancellationToken cancellation
    )
    {
        IReadOnlyList<CurveJob> page = [];
        do
        {
            var after = page.Count == 0 ? 0 : page[^1].Sequence;
            page = await reconnection.AgainAsync(() => studies.CurveJobsAsync(id, after, JobsAtOnce, cancellation));
            foreach (var job in page)
            foreach (var epoch in await reconnection.AgainAsync(() => jobs.MetricsAsync(job.Id, after: 0)))
                yield return StudyEpoch.Of(id, job, epoch);
        } while (page.Count == JobsAtOnce);
    }
}
