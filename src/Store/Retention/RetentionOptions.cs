namespace Temper.Store.Retention;

/// <summary>
/// Days for which the data of finished jobs and the audit are kept, above 0 and at most 36,500; null keeps it forever. The section is
/// `Retention` in a worker's settings (environment `Retention__LogitsDays` and so on). The days count from the end of the
/// job, or of the last job of its study. Retention removes nothing that is pinned or belongs to a study with jobs left to run.
/// </summary>
public sealed record RetentionOptions
{
    /// <summary>The last checkpoint of a failed or cancelled job, from which a retry continues. Default 30.</summary>
    public double? CheckpointDays { get; init; } = 30;

    /// <summary>Logits, from which reports are computed. A study's recommendation does not need them. Default null.</summary>
    public double? LogitsDays { get; init; }

    /// <summary>Weights. Default null.</summary>
    public double? WeightsDays { get; init; }

    /// <summary>The metrics of each epoch. Default null.</summary>
    public double? EpochDays { get; init; }

    /// <summary>The history of attempts. Default null.</summary>
    public double? AttemptDays { get; init; }

    /// <summary>Whole jobs, and whole studies with all their jobs. Default null.</summary>
    public double? JobDays { get; init; }

    /// <summary>The audit, from the time of each request on. Default 365.</summary>
    public double? AuditDays { get; init; } = 365;

    private IEnumerable<(string Name, double? Days)> All =>
        [
            (nameof(CheckpointDays), CheckpointDays),
            (nameof(LogitsDays), LogitsDays),
            (nameof(WeightsDays), WeightsDays),
            (nameof(EpochDays), EpochDays),
            (nameof(AttemptDays), AttemptDays),
            (nameof(JobDays), JobDays),
            (nameof(AuditDays), AuditDays),
        ];

    /// <exception cref="InvalidOperationException">A setting is out of range.</exception>
    public RetentionOptions Checked()
    {
        foreach (var (name, days) in All)
            if (days is not (null or (> 0 and <= 36_500)))
                throw new InvalidOperationException($"Retention:{name} must be absent or above 0, at most 36500, not {days}.");
        return this;
    }
}
