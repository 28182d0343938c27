namespace Temper.Domain.Studies;

/// <summary>The losses of one arm, by seed; lower is better.</summary>
public sealed record ArmLosses(int Arm, IReadOnlyDictionary<long, double> BySeed);

/// <summary>
/// Which arms of a study can be told apart. Jobs with the same seed share initial weights, split and order of images, so each pair
/// of arms is compared by its differences seed by seed.
/// </summary>
/// <remarks>
/// Two questions, each answered wrongly at most at rate α. Does any difference exist? Yes where some pair's one-sided p is at most
/// α/(K(K−1)), Bonferroni over all ordered pairs. If so: which arms may be the best? All but those that some other one beats with
/// p at most α/(K−1): the best one has K−1 rivals that could beat it by chance (multiple comparisons with the best, Hsu 1981).
/// Three seeds tell little of one pair's spread, so it is pooled with that of the pairs which share an arm with it, and a pool of
/// unequal arms is worth fewer degrees of freedom than it has. Where a pair's own spread is larger, that one counts, with its own
/// degrees. A spread below the criterion's resolution counts as that resolution: differences that are all the same would otherwise
/// be judged by their rounding. docs/decisions/0024-study-comparison.md has what other ways gave,
/// bench/records/study-statistics.md what this one gives.
/// </remarks>
public sealed class ArmComparison
{
    /// <summary>α.</summary>
    public const double Level = 0.05;

    /// <summary>With which a difference that is called detectable is found.</summary>
    public const double WantedPower = 0.8;

    /// <summary>Beyond so many nobody will train.</summary>
    internal const int MostSeeds = 1000;

    private const double MostWorth = 3;

    /// <summary>Of the pair with the coarsest values.</summary>
    private readonly double coarsest;

    private readonly ArmLosses[] arms;
    private readonly Dictionary<int, int> places;
    private readonly PairSpread[,] spreads;
    private readonly PairedDifference[,] differences;

    /// <param name="losses">Arms without any are left out.</param>
    /// <param name="rivals">K, where arms were left out that count all the same; the number of arms when absent.</param>
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
            // Of the pairs that share an arm with this one, itself counted once.
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

    /// <summary>Whether any two arms can be told apart.</summary>
    public bool DifferenceExists { get; }

    /// <summary>The arms that may be the best; all of them where no difference exists.</summary>
    public IReadOnlyList<int> Tied { get; }

    /// <summary>The one-sided level at which one arm beats another.</summary>
    public double PairLevel { get; }

    /// <summary>The one-sided level at which a pair says that differences exist.</summary>
    public double ExistenceLevel { get; }

    /// <summary>
    /// The one-sided level that a pair was held against: an interval at it covers 0 just where the arm is not called
    /// worse.
    /// </summary>
    public double LevelTested => DifferenceExists ? PairLevel : ExistenceLevel;

    /// <summary>Mean loss of arm <paramref name="a"/> − that of <paramref name="b"/>, over the seeds that both have.</summary>
    public PairedDifference Between(int a, int b) => differences[places[a], places[b]];

    /// <returns>The smallest true difference that so many seeds would find, of two arms that scatter as all do on average; null
    /// below two seeds.</returns>
    public double? Detectable(int seeds)
    {
        var spread = Pairs().Select(pair => spreads[pair.A, pair.B]).Where(spread => spread.Seeds >= 2).ToList();
        if (seeds < 2 || spread.Count == 0)
            return null;
        var variance = Math.Max(spread.Sum(pair => pair.SquaredDeviations) / spread.Sum(pair => pair.Degrees), coarsest * coarsest);
        double low = 0,
            high = 1000;
        for (var step = 0; step < 60; step++)
        {
            var middle = (low + high) / 2;
            if (Power(seeds, middle) < WantedPower)
                low = middle;
            else
                high = middle;
        }
        return high * Math.Sqrt(variance / seeds);
    }

    /// <returns>
    /// With how many seeds in all a difference as large as the one observed would be found with a probability of 80 %; null when
    /// that takes more than 1000: then the two are the same for every practical purpose.
    /// </returns>
    public int? SeedsToTell(PairedDifference difference)
    {
        if (difference.StandardDeviation is not { } deviation || deviation == 0)
            return null;
        bool Suffices(int seeds) => Power(seeds, Math.Abs(difference.Mean) * Math.Sqrt(seeds) / deviation) >= WantedPower;
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

    /// <summary>Of a single comparison, which must show that a difference exists before anything else is asked.</summary>
    /// <param name="shift">The true difference, in standard errors.</param>
    private double Power(int seeds, double shift)
    {
        var degrees = Math.Max(1, (int)(Math.Max(1, Worth) * (seeds - 1)));
        return StudentT.Power(StudentT.Quantile(ExistenceLevel, degrees), degrees, shift);
    }

    /// <summary>
    /// Degrees of freedom of a pool for each degree of one of its pairs. Arms that scatter alike would leave K−1 for their residual;
    /// those that do not, and neighbours that scatter together, leave fewer, and no more with more arms.
    /// </summary>
    private double Worth => Math.Min(2.0 / 3 * (arms.Length - 1), MostWorth);

    /// <summary>Σ over the pairs that an arm is in, by arm: squared deviations, and their degrees of freedom.</summary>
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
