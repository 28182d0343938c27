namespace Temper.Domain.Studies;

/// <summary>
/// Successive halving by seeds: whenever all arms that are left have finished another seed, those that are clearly worse are dropped
/// and not trained with the rest of the seeds. Only finished trainings are compared, with the same seeds: what smoothing does to
/// the first epochs says little of the last.
/// </summary>
public static class Race
{
    /// <summary>
    /// How often an arm is dropped that is no worse, at most. The look at n seeds takes 1/((n−1)n) of it, which sums to one, however
    /// many seeds there will be. That holds only if there is one look at n seeds: with one arm dropped, a second look would compare the
    /// others by another pool.
    /// </summary>
    public const double Level = 0.005;

    /// <summary>The seeds that all of them have finished.</summary>
    public static IReadOnlySet<long> SeedsInCommon(IReadOnlyCollection<ArmLosses> arms) =>
        arms.Count == 0
            ? new HashSet<long>()
            : arms.Select(arm => arm.BySeed.Keys).Aggregate((seen, keys) => seen.Intersect(keys)).ToHashSet();

    /// <param name="left">The arms not dropped so far.</param>
    /// <param name="all">How many arms there were at the start.</param>
    /// <param name="resolution">The smallest difference that two losses can have.</param>
    /// <returns>The arms to drop now.</returns>
    public static IReadOnlyList<int> Losers(IReadOnlyCollection<ArmLosses> left, int all, double resolution = 0)
    {
        if (left.Count < 2)
            return [];
        var common = SeedsInCommon(left);
        if (common.Count < 2)
            return [];
        var level = Level / (common.Count * (common.Count - 1.0));
        var comparison = new ArmComparison(
            left.Select(arm => arm with { BySeed = arm.BySeed.Where(loss => common.Contains(loss.Key)).ToDictionary() }),
            all,
            level,
            resolution
        );
        return
        [
            .. left.Where(arm =>
                    left.Any(rival => rival != arm && comparison.Between(arm.Arm, rival.Arm).PValue <= comparison.ExistenceLevel)
                )
                .Select(arm => arm.Arm),
        ];
    }
}
