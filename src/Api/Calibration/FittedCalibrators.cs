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
    /// <param name="isKnown">Says that the client already has the answer with this calibrator; it is then a 304 without a fit.</param>
    public async Task<IResult> AnswerAsync(
        TemperDb db,
        Guid job,
        string? asked,
        Func<Calibrator?, Task<IResult>> answer,
        Func<CalibratorName, bool> isKnown,
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
        if (Name() is { } known && isKnown(known))
            return EntityTags.NotModified;
        return new InTurn(async computing =>
        {
            if (Kept() is { } fittedByAnother)
                return await AnswerWithAsync(fittedByAnother);
            if (await CalibrationEndpoints.LogitsOf(db, job).SingleOrDefaultAsync(computing) is not { } logits)
                return Refusal(asked, 0, 2)!; // retention has just removed them
            var fit = await Task.Run(() => CalibratorComparison.Fit(Name(), logits.Validation(), computing), computing);
            Keep((job, Json.Name(fit.Name)), fit, fit.Bytes);
            if (asked == Chosen)
                Keep((job, Chosen), fit.Name, 0);
            return await AnswerWithAsync(fit);
        });

        // Null when the choice is not known yet.
        CalibratorName? Name() => asked == Chosen ? fits.Get<CalibratorName?>((job, Chosen)) : Names[asked];

        Calibrator? Kept() => Name() is { } name ? fits.Get<Calibrator>((job, Json.Name(name))) : null;

        Task<IResult> AnswerWithAsync(Calibrator fit) => answer(fit.Name == CalibratorName.Temperature ? null : fit);
    }

    /// <summary>
    /// Keeps a fit, or the name of the chosen calibrator. The cache drops a new entry for which it has no room. Then half of the
    /// entries go, those that were used longest ago, and if that is not enough all of them.
    /// </summary>
    /// <param name="bytes">What the value takes.</param>
    private void Keep((Guid Job, string Name) key, object value, long bytes)
    {
        foreach (var shareToRemove in new[] { 0, 0.5, 1 })
        {
            fits.Compact(shareToRemove);
            fits.Set(key, value, new MemoryCacheEntryOptions { Size = EntryBytes + bytes });
            if (fits.TryGetValue(key, out _))
                return;
        }
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
            : "with so many images and classes the fit takes too much time or memory";
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
