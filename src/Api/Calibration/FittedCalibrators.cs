using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Caching.Memory;
using Temper.Api.Http;
using Temper.Domain.Calibration.Calibrators;
using Temper.Domain.Serialization;
using Temper.Store;

namespace Temper.Api.Calibration;

/// <summary>
/// Fits calibrators on the stored logits of validation images, and keeps those that were used last in memory. Logits of a job never
/// change, so a fit stays right.
/// </summary>
internal sealed class FittedCalibrators : IDisposable
{
    /// <summary>The query parameter.</summary>
    public const string Parameter = "calibrator";

    /// <summary>What the query parameter may be, for the API's description.</summary>
    public const string Text =
        "temperature, the default; none, biasCorrectedTemperature, vector, structuredMatrix, histogram or isotonic; or chosen: the one "
        + "that `measures=true` of the calibration report chooses. All but temperature and none need the stored logits of 10 validation "
        + "images.";

    private const string Chosen = "chosen";

    /// <summary>Memory for the fits, and what an entry takes beside its fit.</summary>
    private const long MostBytes = 64 << 20,
        EntryBytes = 1 << 10;

    private static readonly Dictionary<string, CalibratorName> Names = Enum.GetValues<CalibratorName>().ToDictionary(Json.Name);

    private readonly MemoryCache fits = new(new MemoryCacheOptions { SizeLimit = MostBytes });

    /// <summary>Adds an error unless the query parameter is a calibrator, `chosen` or absent.</summary>
    public static void AddUnlessKnown(string? asked, Dictionary<string, string[]> errors)
    {
        if (asked is not (null or Chosen) && !Names.ContainsKey(asked))
            errors.TryAdd(Parameter, [$"must be one of {string.Join(", ", Names.Keys)}, {Chosen}; got {asked}"]);
    }

    /// <summary>
    /// Answers with the calibrator that the query parameter asks for: null for `temperature`, whose T the job's model has. A fit waits
    /// for its turn among the reports. A calibrator that the job's stored logits do not allow is refused.
    /// </summary>
    /// <param name="asked">A known value.</param>
    public async Task<IResult> AnswerAsync(
        TemperDb db,
        Guid job,
        string? asked,
        Func<Calibrator?, Task<IResult>> answer,
        CancellationToken cancellation
    )
    {
        if (asked is null || asked == Json.Name(CalibratorName.Temperature))
            return await answer(null);
        if (asked == Json.Name(CalibratorName.None))
            return await answer(TemperatureScaling.None);
        if (await RefusalAsync(db, job, asked, cancellation) is { } refusal)
            return refusal;
        if (Kept() is { } ready)
            return await AnswerWithAsync(ready);
        return new InTurn(async computing =>
        {
            if (Kept() is { } fittedMeanwhile)
                return await AnswerWithAsync(fittedMeanwhile);
            if (await CalibrationEndpoints.LogitsOf(db, job).SingleOrDefaultAsync(computing) is not { } logits)
                return Refusal(asked, 0, 2)!; // retention has just removed them
            CalibratorName? name = asked == Chosen ? null : Names[asked];
            var fit = await Task.Run(() => CalibratorComparison.Fit(name, logits.Validation(), computing), computing);
            fits.Set((job, asked), fit, new MemoryCacheEntryOptions { Size = EntryBytes + fit.Bytes });
            return await AnswerWithAsync(fit);
        });

        Calibrator? Kept() => fits.Get<Calibrator>((job, asked));

        Task<IResult> AnswerWithAsync(Calibrator fit) => answer(fit.Name == CalibratorName.Temperature ? null : fit);
    }

    public void Dispose() => fits.Dispose();

    private static async Task<ProblemHttpResult?> RefusalAsync(TemperDb db, Guid job, string asked, CancellationToken cancellation)
    {
        var size = await db
            .Models.Where(model => model.JobId == job && model.Classes != null)
            .Select(model => new { Bytes = model.ValidationLabels!.Length, Classes = model.Classes!.Value })
            .SingleOrDefaultAsync(cancellation);
        return Refusal(asked, (size?.Bytes ?? 0) / sizeof(int), size?.Classes ?? 2);
    }

    /// <param name="images">Validation images with logits.</param>
    private static ProblemHttpResult? Refusal(string asked, int images, int classes)
    {
        var allowed = CalibratorComparison.Allowed(images, classes).Select(Json.Name).ToList();
        var why =
            images == 0 ? "its logits were not kept"
            : images < CalibratorComparison.LeastImages
                ? $"it has {images} validation images, and a fit needs {CalibratorComparison.LeastImages}"
            : "with so many images and classes the fit takes too long";
        if (images >= CalibratorComparison.LeastImages)
            allowed.Add(Chosen);
        return allowed.Contains(asked)
            ? null
            : Problems.Invalid(
                "The query is wrong.",
                new() { [Parameter] = [$"must be one of {string.Join(", ", allowed)} for this job: {why}; got {asked}"] }
            );
    }
}
