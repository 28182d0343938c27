using Microsoft.EntityFrameworkCore;
using Temper.Domain.Jobs;
using Temper.Domain.Serialization;
using Temper.Domain.Smoothing;
using Temper.Store;
using Temper.Store.Rows;

namespace Temper.Api.Jobs;

/// <summary>Computes advice on a spec from the results of the tenant's earlier jobs.</summary>
internal static class Advice
{
    /// <summary>A submission reads at most this many of the data set's latest jobs, even when there are a million.</summary>
    private const int MostLookedAt = 1000;

    private sealed record Row(double Epsilon, bool IsUniform, double Accuracy, double SignedGap);

    public static async Task<SmoothingAdvice> ForAsync(TemperDb db, string tenant, JobSpec spec, CancellationToken cancellation)
    {
        var (smoothing, model, loss) = (spec.LabelSmoothing(), Json.Name(spec.Model), Json.Name(spec.Loss));
        var (schedule, training) = (Json.Name(spec.GammaSchedule), spec.TrainingLoss());
        var rows = await db
            .Database.SqlQuery<Row>(
                $"""
                SELECT (spec->>'epsilon')::float8 AS "Epsilon", spec->>'smoothing' = 'uniform' AS "IsUniform",
                       (result->>'testAccuracy')::float8 AS "Accuracy", (result->>'testSignedGap')::float8 AS "SignedGap"
                FROM (SELECT sequence, spec, result FROM jobs WHERE tenant = {tenant} AND dataset = {spec.Dataset} AND state = 'succeeded'
                      ORDER BY sequence DESC LIMIT {MostLookedAt}) latest
                WHERE spec->>'model' = {model} AND (spec->>'labelNoise')::float8 = {spec.LabelNoise}
                  AND (spec->>'epsilon')::float8 BETWEEN 0 AND 1
                  AND COALESCE(spec->>'loss', 'crossEntropy') = {loss} AND COALESCE((spec->>'mixup')::float8, 0) = {spec.Mixup}
                  AND COALESCE(spec->>'gammaSchedule', 'constant') = {schedule}
                  AND COALESCE((spec->>'gamma')::float8, {TrainingLoss.DefaultGamma}) = {training.Gamma}
                  AND COALESCE((spec->>'beta')::float8, {TrainingLoss.DefaultBeta}) = {training.Beta}
                  AND COALESCE((spec->>'margin')::float8, {TrainingLoss.DefaultMargin}) = {training.Margin}
                  AND COALESCE((spec->>'weight')::float8, {TrainingLoss.DefaultWeight}) = {training.Weight}
                  AND result->>'testAccuracy' IS NOT NULL AND result->>'testSignedGap' IS NOT NULL
                ORDER BY sequence DESC LIMIT 100
                """
            )
            .ToListAsync(cancellation);
        var advice = SmoothingAdvice.Of(
            training,
            spec.LabelNoise,
            [
                .. rows.Select(row => new EarlierJob(
                    LabelSmoothing
                        .Of(row.IsUniform ? SmoothingConvention.Uniform : SmoothingConvention.Others, row.Epsilon, smoothing.Classes)
                        .EpsilonUniform,
                    row.Accuracy,
                    row.SignedGap
                )),
            ]
        );
        return advice with { Warnings = [.. advice.Warnings, .. await WarningsAsync(db, spec, cancellation)] };
    }

    private static async Task<IEnumerable<string>> WarningsAsync(TemperDb db, JobSpec spec, CancellationToken cancellation)
    {
        var warnings = new List<string>();
        if (spec.Augmentation == AugmentationName.CropFlip && spec.DatasetCard()!.Characters)
            warnings.Add(
                $"cropFlip mirrors half of the images, and a mirrored character of {spec.Dataset} is another or none. "
                    + "Use shift, which only moves them."
            );
        if (!await IsServedAsync(db, spec, cancellation))
            warnings.Add("No worker alive now has a CUDA device: the job waits until one comes.");
        return warnings;
    }

    private static async Task<bool> IsServedAsync(TemperDb db, JobSpec spec, CancellationToken cancellation) =>
        spec.Device != DeviceName.Cuda
        || await db.Workers.Where(WorkerRow.IsAlive).AnyAsync(worker => worker.Device == "cuda" && !worker.Draining, cancellation);
}
