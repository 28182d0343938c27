namespace Temper.Domain.Jobs;

/// <summary>Which epoch's weights are a job's result; see <see cref="JobSpec.Keep"/>.</summary>
public enum KeepName
{
    Last,
    Nll,
    NllAfterTemperature,
}

public static class Keeping
{
    /// <returns>The loss of an epoch; the first epoch with the lowest is kept. Null when the epoch has none: the last epoch is kept
    /// unless another has a loss.</returns>
    public static double? LossBy(this EpochMetrics epoch, KeepName keep) =>
        keep switch
        {
            KeepName.Last => null,
            KeepName.Nll => epoch.ValidationLoss,
            KeepName.NllAfterTemperature => epoch.ValidationLossAfterTemperature,
            _ => throw new ArgumentOutOfRangeException(nameof(keep), keep, null),
        };
}
