using Temper.Domain.Calibration;
using Temper.Domain.Jobs;
using Temper.Domain.Studies;
using Temper.Store.Studies;

namespace Temper.Api.Studies.Report;

/// <summary>Everything about a study in one document.</summary>
/// <param name="Study">As `GET /studies/{id}` gives it.</param>
/// <param name="Recommendation">As `GET /studies/{id}/recommendation` gives it.</param>
/// <param name="Jobs">Those that have succeeded, by arm and seed.</param>
/// <param name="Arms">In the order of the study's `rows`.</param>
/// <param name="Reliability">Of the first seed of the recommended arm, under the first share of label noise, and of ε = 0 beside
/// it; fewer where they are the same, have not succeeded or kept no logits.</param>
public sealed record StudyReportResponse(
    StudyResponse Study,
    RecommendationResponse Recommendation,
    IReadOnlyList<StudyJob> Jobs,
    IReadOnlyList<ReportedArm> Arms,
    IReadOnlyList<JobReliability> Reliability
);

/// <summary>An arm and how its jobs learned.</summary>
/// <param name="Number">By which jobs name it.</param>
/// <param name="TargetEntropy">H(q) in nats, which the training loss never falls below.</param>
/// <param name="Epochs">Means over the seeds that have succeeded; of a long training at most 200 epochs, evenly spread.</param>
public sealed record ReportedArm(int Number, Arm Arm, double TargetEntropy, IReadOnlyList<MeanEpoch> Epochs)
{
    internal static ReportedArm Of(StudyArm arm, StudySpec study, IReadOnlyList<MeanEpoch> epochs) =>
        new(arm.Number, arm.Arm, arm.Arm.On(study.Job).LabelSmoothing().TargetEntropy, epochs);
}

/// <summary>How far confidences can be relied on, of one job on the test set.</summary>
/// <param name="Temperature">T, fitted on validation.</param>
/// <param name="Before">The model as trained.</param>
/// <param name="After">Its logits divided by T.</param>
public sealed record JobReliability(Guid Job, Arm Arm, long Seed, double Temperature, ReliabilityDiagram Before, ReliabilityDiagram After)
{
    internal static JobReliability Of(StudyJob job, Arm arm, StoredLogits logits)
    {
        var test = logits.Test();
        var temperature = TemperatureFit.On(logits.Validation()).Temperature;
        return new(job.Id, arm, job.Seed, temperature, ReliabilityDiagram.Of(test, 1), ReliabilityDiagram.Of(test, temperature));
    }
}

/// <summary>15 bins of equal width, (a, b].</summary>
/// <param name="Ece">Expected calibration error over them.</param>
public sealed record ReliabilityDiagram(double Ece, IReadOnlyList<ReliabilityBin> Bins)
{
    internal static ReliabilityDiagram Of(LabelledLogits test, double temperature)
    {
        var predictions = Predictions.Of(test, temperature);
        var bins = Binning.Guo.DefaultCount();
        var sums = BinSums.EqualWidth(predictions.Confidences, predictions.Hits, bins, Binning.Guo);
        return new(CalibrationError.Expected(sums), ReliabilityBin.Of(sums, bins));
    }
}
