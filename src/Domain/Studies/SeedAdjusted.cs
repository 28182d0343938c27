namespace Temper.Domain.Studies;

/// <summary>Means that are comparable even if arms lack different seeds.</summary>
internal static class SeedAdjusted
{
    private const int Rounds = 100;

    /// <summary>
    /// Estimates each arm's mean over all seeds. It fits the losses as μ_arm + σ_seed by least squares, so that an arm that has
    /// only easy seeds does not look better. An arm with every seed keeps its plain mean.
    /// </summary>
    public static IReadOnlyDictionary<int, double> Means(IReadOnlyCollection<ArmLosses> arms)
    {
        var means = arms.ToDictionary(arm => arm.Arm, arm => arm.BySeed.Values.Average());
        var jobs = arms.SelectMany(arm => arm.BySeed.Select(loss => (arm.Arm, Seed: loss.Key, Loss: loss.Value))).ToLookup(job => job.Seed);
        for (var round = 0; round < Rounds; round++)
        {
            var seeds = jobs.ToDictionary(seed => seed.Key, seed => seed.Average(job => job.Loss - means[job.Arm]));
            foreach (var arm in arms)
                means[arm.Arm] = arm.BySeed.Average(loss => loss.Value - seeds[loss.Key]);
        }
        var average = jobs.Select(seed => seed.Average(job => job.Loss - means[job.Arm])).DefaultIfEmpty().Average();
        return means.ToDictionary(mean => mean.Key, mean => mean.Value + average);
    }
}
