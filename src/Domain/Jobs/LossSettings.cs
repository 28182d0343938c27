using Temper.Domain.Smoothing;

namespace Temper.Domain.Jobs;

/// <summary>Which fields of a spec are settings of some losses only.</summary>
public static class LossSettings
{
    /// <summary>The fields that decide which others count.</summary>
    public static IReadOnlyList<string> Choosing { get; } = ["loss", "gammaSchedule"];

    /// <summary>The fields that some losses have and others have not, by their names in JSON; ε is not among them.</summary>
    public static IReadOnlyList<string> All { get; } = ["gamma", "gammaSchedule", "beta", "margin", "weight"];

    /// <param name="field">The field's name in JSON.</param>
    /// <returns>False for a setting of another loss, and for `gamma` with a schedule of γ; true for every other field.</returns>
    public static bool Has(LossName loss, GammaScheduleName schedule, string field) =>
        field switch
        {
            "gamma" => loss == LossName.Focal && schedule == GammaScheduleName.Constant,
            "gammaSchedule" => loss == LossName.Focal,
            "beta" => loss == LossName.ConfidencePenalty,
            "margin" or "weight" => loss == LossName.MarginSmoothing,
            _ => true,
        };

    /// <summary>Whether the spec has another value than the default in a field of <see cref="All"/>.</summary>
    public static bool IsSet(JobSpec spec, string field) =>
        field switch
        {
            "gamma" => spec.Gamma is not null,
            "gammaSchedule" => spec.GammaSchedule != GammaScheduleName.Constant,
            "beta" => spec.Beta is not null,
            "margin" => spec.Margin is not null,
            _ => spec.Weight is not null,
        };

    /// <summary>The spec with the defaults for the settings of other losses.</summary>
    public static JobSpec WithoutOthers(JobSpec spec)
    {
        bool Has(string field) => LossSettings.Has(spec.Loss, spec.GammaSchedule, field);
        return spec with
        {
            GammaSchedule = Has("gammaSchedule") ? spec.GammaSchedule : GammaScheduleName.Constant,
            Gamma = Has("gamma") ? spec.Gamma : null,
            Beta = Has("beta") ? spec.Beta : null,
            Margin = Has("margin") ? spec.Margin : null,
            Weight = Has("weight") ? spec.Weight : null,
        };
    }
}
