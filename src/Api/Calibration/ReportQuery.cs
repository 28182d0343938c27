using System.Globalization;
using Microsoft.AspNetCore.Mvc;
using Temper.Api.Http;
using Temper.Domain.Calibration;
using Temper.Domain.Calibration.Calibrators;
using Temper.Domain.Serialization;

namespace Temper.Api.Calibration;

/// <summary>
/// The query parameters of a calibration report, as strings, so that one answer reports every wrong parameter.
/// </summary>
internal sealed class ReportQuery
{
    private const int LargestBins = 200,
        DefaultResamples = 1000,
        LeastResamples = 100,
        LargestResamples = 5000;

    /// <summary>The default number of resamples × N × K is at most this, so that a report takes seconds.</summary>
    private const long LargestDefaultDraws = 1_000_000_000;

    private static readonly Dictionary<string, Binning> Rules = Enum.GetValues<Binning>().ToDictionary(Json.Name);

    /// <summary>Rule for bins of equal width: guo (the default), torchmetrics or netcal.</summary>
    [FromQuery(Name = "binning")]
    public string? Binning { get; init; }

    /// <summary>
    /// Number of bins of equal width, and of bins of equal mass: 1 to 200. The default is that of the rule's tool: 15, or 10 for
    /// netcal.
    /// </summary>
    [FromQuery(Name = "bins")]
    public string? Bins { get; init; }

    /// <summary>
    /// Resamples for the intervals, the chance bands and the verdict: 100 to 5000, or 0 to omit these. When absent 1000, or above
    /// 10⁶ probabilities, N images × K classes, 10⁹ / (N·K), at least 100.
    /// </summary>
    [FromQuery(Name = "resamples")]
    public string? Resamples { get; init; }

    /// <summary>Seed of the resamples, from 0; 0 when absent. The same seed gives the same report.</summary>
    [FromQuery(Name = "seed")]
    public string? Seed { get; init; }

    /// <summary>
    /// true to add `measures`: the parts of the NLL, selective classification, intervals, reliability curves, conformal sets, and a
    /// comparison of calibrators. They take seconds more. false when absent.
    /// </summary>
    [FromQuery(Name = "measures")]
    public string? Measures { get; init; }

    internal Dictionary<string, string[]> Errors(HttpRequest request)
    {
        var errors = new Dictionary<string, string[]>();
        Problems.AddUnknownParameters(request, errors, "binning", "bins", "resamples", "seed", "measures");
        if (Binning is not null && !Rules.ContainsKey(Binning))
            errors["binning"] = [$"must be one of {string.Join(", ", Rules.Keys)}; got {Binning}"];
        if (Bins is not null && !(TryWhole(Bins, out var bins) && bins is >= 1 and <= LargestBins))
            errors["bins"] = [$"must be a whole number from 1 to {LargestBins}; got {Bins}"];
        if (
            Resamples is not null
            && !(TryWhole(Resamples, out var resamples) && resamples is 0 or (>= LeastResamples and <= LargestResamples))
        )
            errors["resamples"] = [$"must be 0 or a whole number from {LeastResamples} to {LargestResamples}; got {Resamples}"];
        if (Seed is not null && !TryWhole(Seed, out _))
            errors["seed"] = [$"must be a whole number from 0 to {int.MaxValue}; got {Seed}"];
        if (Measures is not (null or "true" or "false"))
            errors["measures"] = [$"must be true or false; got {Measures}"];
        return errors;
    }

    /// <summary>Parses the query. Call it only when <see cref="Errors"/> found none.</summary>
    /// <param name="count">N, the number of test images.</param>
    /// <param name="classes">K.</param>
    internal ReportOptions Options(int count, int classes)
    {
        var binning = Binning is null ? Domain.Calibration.Binning.Guo : Rules[Binning];
        var resamples = Math.Clamp(LargestDefaultDraws / ((long)count * classes), LeastResamples, DefaultResamples);
        return new(
            binning,
            Whole(Bins) ?? binning.DefaultCount(),
            Whole(Resamples) ?? (int)resamples,
            Whole(Seed) ?? CalibratorComparison.DefaultSeed,
            Measures == "true"
        );
    }

    private static bool TryWhole(string text, out int value) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out value);

    private static int? Whole(string? text) => text is not null && TryWhole(text, out var value) ? value : null;
}
