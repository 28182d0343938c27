using System.Globalization;
using Microsoft.AspNetCore.Mvc;
using Temper.Api.Http;
using Temper.Domain.Calibration;
using Temper.Domain.Serialization;

namespace Temper.Api.Calibration;

/// <summary>The query of `GET /jobs/{id}/calibration`, as texts, so that every wrong one is reported in one answer.</summary>
internal sealed class ReportQuery
{
    private const int LargestBins = 200,
        DefaultResamples = 1000,
        LeastResamples = 100,
        LargestResamples = 5000;

    private static readonly Dictionary<string, Binning> Rules = Enum.GetValues<Binning>().ToDictionary(Json.Name);

    /// <summary>Whose rule for bins of equal width: guo (the default), torchmetrics or netcal.</summary>
    [FromQuery(Name = "binning")]
    public string? Binning { get; init; }

    /// <summary>
    /// Bins of equal width, and as many of equal mass: 1 to 200. By default what the rule's tool takes: 15, for netcal
    /// 10.
    /// </summary>
    [FromQuery(Name = "bins")]
    public string? Bins { get; init; }

    /// <summary>Draws for the intervals, the chance bands and the verdict: 0 leaves them out, else 100 to 5000; 1000 when absent.</summary>
    [FromQuery(Name = "resamples")]
    public string? Resamples { get; init; }

    /// <summary>Seed of those draws, 0 when absent: the same seed gives the same report.</summary>
    [FromQuery(Name = "seed")]
    public string? Seed { get; init; }

    internal Dictionary<string, string[]> Errors(HttpRequest request)
    {
        var errors = new Dictionary<string, string[]>();
        Problems.AddUnknownParameters(request, errors, "binning", "bins", "resamples", "seed");
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
        return errors;
    }

    /// <summary>To be called when there are no errors.</summary>
    internal ReportOptions Options()
    {
        var binning = Binning is null ? Domain.Calibration.Binning.Guo : Rules[Binning];
        return new(binning, Whole(Bins) ?? binning.DefaultCount(), Whole(Resamples) ?? DefaultResamples, Whole(Seed) ?? 0);
    }

    private static bool TryWhole(string text, out int value) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out value);

    private static int? Whole(string? text) => text is not null && TryWhole(text, out var value) ? value : null;
}
