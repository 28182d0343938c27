using Temper.Domain.Calibration;
using Temper.Domain.Jobs;
using Temper.Domain.Studies;
using Temper.Store.Studies;

namespace Temper.Api.Studies.Report;

/// <summary>Everything about a study in one document.</summary>
/// <param name="Study">The answer of `GET /studies/{id}`.</param>
/// <param name="Recommendation">The answer of `GET /studies/{id}/recommendation`.</param>
/// <param name="Jobs">The jobs that have succeeded, by arm and seed.</param>
/// <param name="Arms">The arms, in the order of the study's `rows`.</param>
/// <param name="Reliability">Diagrams of the first seed of ε = 0 and of the recommended arm, under the first share of label
/// noise that has one; fewer when the two arms are the same, have no succeeded job or kept no logits.</param>
public sealed record StudyReportResponse(
    StudyResponse Study,
    RecommendationResponse Recommendation,
    IReadOnlyList<StudyJob> Jobs,
    IReadOnlyList<ReportedArm> Arms,
    IReadOnlyList<JobReliability> Reliability
);

/// <summary>An arm and the learning curve of its jobs.</summary>
/// <param name="Number">Number of the arm; jobs refer to it.</param>
/// <param name="TargetEntropy">H(q) in nats, below which cross-entropy never falls; 0 for other losses.</param>
/// <param name="Epochs">Means over the seeds that have succeeded; at most 200 epochs, evenly spaced.</param>
public sealed record ReportedArm(int Number, Arm Arm, double TargetEntropy, IReadOnlyList<MeanEpoch> Epochs)
{
    internal static ReportedArm Of(StudyArm arm, StudySpec study, IReadOnlyList<MeanEpoch> epochs) =>
        new(arm.Number, arm.Arm, arm.Arm.On(study.Job).LabelSmoothing().TargetEntropy, epochs);
}

/// <summary>Reliability diagrams of one job on the test set.</summary>
/// <param name="Temperature">Temperature T, fitted on validation.</param>
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

/// <summary>A reliability diagram with 15 bins of equal width, (a, b].</summary>
/// <param name="Ece">Expected calibration error over these bins.</param>
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
