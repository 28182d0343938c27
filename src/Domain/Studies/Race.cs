namespace Temper.Domain.Studies;

/// <summary>
/// Successive halving by seeds. Whenever all remaining arms have finished another seed, the arms that are clearly worse are
/// dropped and not trained with the other seeds. Only finished trainings with the same seeds are compared, because the effect of
/// smoothing on the first epochs says little about the last.
/// </summary>
public static class Race
{
    /// <summary>
    /// The largest probability of dropping an arm that is not worse. The comparison at n seeds uses the share 1/((n−1)n) of it;
    /// these shares sum to at most one for any number of seeds. That requires a single comparison at each n: a second one, after
    /// an arm was dropped, would compare the other arms with a different pool.
    /// </summary>
    public const double Level = 0.005;

    /// <summary>The seeds that all these arms have finished.</summary>
    public static IReadOnlySet<long> SeedsInCommon(IReadOnlyCollection<ArmLosses> arms) =>
        arms.Count == 0
            ? new HashSet<long>()
            : arms.Select(arm => arm.BySeed.Keys).Aggregate((seen, keys) => seen.Intersect(keys)).ToHashSet();

    /// <param name="left">The arms not dropped so far.</param>
    /// <param name="all">The number of arms at the start.</param>
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
