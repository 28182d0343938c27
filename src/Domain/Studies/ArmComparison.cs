using Temper.Domain.Calibration;

namespace Temper.Domain.Studies;

/// <summary>The losses of one arm, by seed; lower is better.</summary>
public sealed record ArmLosses(int Arm, IReadOnlyDictionary<long, double> BySeed);

/// <summary>
/// Decides which arms of a study differ significantly. Jobs with the same seed share initial weights, split and order of images,
/// so each pair of arms is compared by the differences of its losses, paired by seed.
/// </summary>
/// <remarks>
/// The comparison answers two questions, each with an error rate of at most α. First: does any difference exist? It does if the
/// one-sided p of some pair is at most α/(K(K−1)), Bonferroni over all ordered pairs. Second: which arms may be the best? All
/// arms that no other arm beats with p at most α/(K−1), because the best arm has K−1 rivals that could beat it by chance
/// (multiple comparisons with the best, Hsu 1981). Three seeds estimate the spread of one pair poorly. The spread is therefore
/// pooled with that of the pairs that share an arm with it, and the pool counts with reduced degrees of freedom because its arms
/// are unequal. If the pair's own spread is larger, that spread is used with its own degrees. A spread below the criterion's
/// resolution is raised to the resolution: otherwise rounding would decide between differences that are all the same.
/// docs/decisions/0024-study-comparison.md records the results of other methods, bench/records/study-statistics.md those of this
/// one.
/// </remarks>
public sealed class ArmComparison
{
    /// <summary>α.</summary>
    public const double Level = 0.05;

    /// <summary>The probability with which a detectable difference is found.</summary>
    public const double WantedPower = 0.8;

    /// <summary>The largest number of seeds that is considered; no one trains more.</summary>
    internal const int MostSeeds = 1000;

    private const double MostWorth = 3;

    /// <summary>Values of each spread over which the power is averaged.</summary>
    private const int PowerSteps = 60;

    /// <summary>The largest resolution of any pair.</summary>
    private readonly double coarsest;

    private readonly ArmLosses[] arms;
    private readonly Dictionary<int, int> places;
    private readonly PairSpread[,] spreads;
    private readonly PairedDifference[,] differences;

    /// <param name="losses">Arms without losses are left out.</param>
    /// <param name="rivals">K, if it also counts arms that are not in <paramref name="losses"/>; the number of arms when
    /// absent.</param>
    /// <param name="level">α.</param>
    /// <param name="resolution">The smallest difference that two losses can have: see <see cref="Criteria.Resolution"/>.</param>
    public ArmComparison(IEnumerable<ArmLosses> losses, int? rivals = null, double level = Level, double resolution = 0)
    {
        arms = [.. losses.Where(arm => arm.BySeed.Count > 0)];
        places = Enumerable.Range(0, arms.Length).ToDictionary(place => arms[place].Arm);
        var all = Math.Max(rivals ?? 0, arms.Length);
        (PairLevel, ExistenceLevel) = (level / Math.Max(1, all - 1), level / Math.Max(1, all * (all - 1)));

        spreads = new PairSpread[arms.Length, arms.Length];
        foreach (var (a, b) in Pairs())
            spreads[a, b] = PairSpread.Of(arms[a].BySeed, arms[b].BySeed, resolution);
        coarsest = Pairs().Select(pair => spreads[pair.A, pair.B].Resolution).DefaultIfEmpty().Max();
        differences = new PairedDifference[arms.Length, arms.Length];
        var sums = SumByArm();
        foreach (var (a, b) in Pairs())
        {
            // Sums over the pairs that share an arm with this pair. The pair itself is in both sums and counts once.
            var (squares, degrees) = (
                sums[a].Squares + sums[b].Squares - spreads[a, b].SquaredDeviations,
                sums[a].Degrees + sums[b].Degrees - spreads[a, b].Degrees
            );
            var each = (double)degrees / Math.Max(1, 2 * arms.Length - 3);
            differences[a, b] = PairedDifference.Of(
                spreads[a, b],
                degrees == 0 ? 0 : squares / degrees,
                Math.Max(spreads[a, b].Degrees, (int)(Worth * each))
            );
        }

        DifferenceExists = Pairs().Any(pair => differences[pair.A, pair.B].PValue <= ExistenceLevel);
        Tied = [.. Enumerable.Range(0, arms.Length).Where(arm => !DifferenceExists || MayBeBest(arm)).Select(arm => arms[arm].Arm)];
    }

    /// <summary>Whether any two arms differ significantly.</summary>
    public bool DifferenceExists { get; }

    /// <summary>The arms that may be the best; all arms when no difference exists.</summary>
    public IReadOnlyList<int> Tied { get; }

    /// <summary>The one-sided level at which one arm beats another: α/(K−1).</summary>
    public double PairLevel { get; }

    /// <summary>The one-sided level at which a pair shows that a difference exists: α/(K(K−1)).</summary>
    public double ExistenceLevel { get; }

    /// <summary>
    /// The one-sided level that was applied to each pair. The interval at this level covers 0 exactly when the arm is not called
    /// worse.
    /// </summary>
    public double LevelTested => DifferenceExists ? PairLevel : ExistenceLevel;

    /// <summary>Whether the comparison contains the arm.</summary>
    public bool Has(int arm) => places.ContainsKey(arm);

    /// <summary>Loss of arm <paramref name="a"/> − loss of arm <paramref name="b"/>, over the seeds that both have.</summary>
    public PairedDifference Between(int a, int b) => differences[places[a], places[b]];

    /// <returns>The smallest true difference between two given arms of average spread that this number of seeds finds with
    /// <see cref="WantedPower"/>, at <see cref="LevelTested"/>; null below two seeds, if no pair has two seeds in
    /// common, or if all losses are 0, as debiased ECE can be.</returns>
    public double? Detectable(int seeds)
    {
        var spread = Pairs().Select(pair => spreads[pair.A, pair.B]).Where(spread => spread.Seeds >= 2).ToList();
        if (seeds < 2 || spread.Count == 0)
            return null;
        var variance = Math.Max(spread.Sum(pair => pair.SquaredDeviations) / spread.Sum(pair => pair.Degrees), coarsest * coarsest);
        if (variance == 0)
            return null;
        double low = 0,
            high = 1;
        var power = Power(seeds);
        while (power(high) < WantedPower)
            high *= 2;
        for (var step = 0; step < 30; step++)
        {
            var middle = (low + high) / 2;
            if (power(middle) < WantedPower)
                low = middle;
            else
                high = middle;
        }
        return high * Math.Sqrt(variance / seeds);
    }

    /// <returns>
    /// The total number of seeds that would find a difference as large as the observed one with a probability of 80 %. Null when
    /// that takes more than 1000 seeds, because the two arms are then equal in practice, and when the deviation is unknown or 0.
    /// </returns>
    public int? SeedsToTell(PairedDifference difference)
    {
        if (difference.StandardDeviation is not { } deviation || deviation == 0)
            return null;
        bool Suffices(int seeds) => Power(seeds)(Math.Abs(difference.Mean) * Math.Sqrt(seeds) / deviation) >= WantedPower;
        if (!Suffices(MostSeeds))
            return null;
        int low = 1,
            high = MostSeeds;
        while (high - low > 1)
        {
            var middle = (low + high) / 2;
            if (Suffices(middle))
                high = middle;
            else
                low = middle;
        }
        return high;
    }

    /// <summary>The power of one comparison at <see cref="LevelTested"/>, if all arms have the same spread.</summary>
    /// <returns>A function of the true difference in standard errors. What does not depend on that is computed once.</returns>
    /// <remarks>
    /// With ν = n − 1, the squared deviations of the pair are 2A and those of its pool K·A + K·B + 2C, in units of the variance of an
    /// arm: A, B and C are independent and have χ² distributions with ν, ν and (K−3)·ν degrees. K·B + 2C is taken as a multiple of χ²
    /// with the same mean and variance.
    /// </remarks>
    private Func<double, double> Power(int seeds)
    {
        var (own, pairs) = (seeds - 1, 2 * arms.Length - 3);
        var critical = StudentT.Quantile(LevelTested, own);
        if (arms.Length < 3)
            return shift => StudentT.Power(critical, own, shift);
        var criticalOfPool = StudentT.Quantile(LevelTested, Math.Max(own, (int)(Worth * own)));
        var mean = 1.5 * arms.Length - 3;
        var others = StudentT.Deviations(mean * mean / (arms.Length * arms.Length / 4.0 + arms.Length - 3) * own, PowerSteps);
        (double Weight, double Needed)[] cases =
        [
            .. from alone in StudentT.Deviations(own, PowerSteps)
            from rest in others
            let pooled = Math.Sqrt((arms.Length / 2.0 * alone.Value * alone.Value + mean * rest.Value * rest.Value) / pairs)
            select (alone.Weight * rest.Weight, pooled > alone.Value ? criticalOfPool * pooled : critical * alone.Value),
        ];
        return shift => cases.Sum(one => one.Weight * Normal.Cdf(shift - one.Needed));
    }

    /// <summary>
    /// Degrees of freedom of a pool for each degree of one of its pairs. Arms with equal spread would leave K−1 for their
    /// residual. Arms with unequal spread, and neighbours with correlated losses, leave fewer, and more arms do not raise the
    /// number.
    /// </summary>
    private double Worth => Math.Min(2.0 / 3 * (arms.Length - 1), MostWorth);

    /// <summary>
    /// For each arm, the squared deviations and the degrees of freedom, summed over the pairs that contain the arm.
    /// </summary>
    private (double Squares, int Degrees)[] SumByArm() =>
        [
            .. Enumerable
                .Range(0, arms.Length)
                .Select(arm =>
                    Enumerable
                        .Range(0, arms.Length)
                        .Where(other => other != arm)
                        .Select(other => spreads[arm, other])
                        .Aggregate((0.0, 0), (sum, spread) => (sum.Item1 + spread.SquaredDeviations, sum.Item2 + spread.Degrees))
                ),
        ];

    private bool MayBeBest(int arm) =>
        !Enumerable.Range(0, arms.Length).Any(rival => rival != arm && differences[arm, rival].PValue <= PairLevel);

    private IEnumerable<(int A, int B)> Pairs() =>
        from a in Enumerable.Range(0, arms.Length)
        from b in Enumerable.Range(0, arms.Length)
        where a != b
        select (a, b);
}
