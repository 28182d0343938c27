using Temper.Domain;
using Temper.Domain.Studies;

namespace Temper.Harness;

/// <summary>How the losses of a study's arms vary from seed to seed.</summary>
public enum Scatter
{
    /// <summary>All arms have the same scatter.</summary>
    Even,

    /// <summary>The last arm has five times the scatter of the others.</summary>
    OneWildArm,

    /// <summary>The scatter is in proportion to 1, 2 … K.</summary>
    Growing,

    /// <summary>Neighbouring arms share most of their scatter, as values of ε that are close together do.</summary>
    Related,

    /// <summary>The scatter has Student's t distribution with 3 degrees of freedom: now and then a seed fails.</summary>
    HeavyTails,
}

/// <summary>
/// Studies with known truth: the mean loss of each arm is given, each seed adds the same random offset to all arms, and each job
/// adds its own scatter.
/// </summary>
/// <param name="Means">Mean loss by arm, in units of the scatter; arm 0 has the least smoothing.</param>
public sealed record SimulatedStudies(double[] Means, int Seeds, Scatter Scatter)
{
    /// <summary>
    /// The difference between two arms that equals <paramref name="count"/> standard errors of their mean difference, with even
    /// scatter.
    /// </summary>
    public static double StandardErrors(double count, int seeds) => count * Math.Sqrt(2.0 / seeds);

    /// <summary>The losses of every arm with every seed.</summary>
    public ArmLosses[] Draw(long draw)
    {
        var random = new SplitMix64(draw, 77);
        var losses = Means.Select(_ => new Dictionary<long, double>()).ToArray();
        for (var seed = 0; seed < Seeds; seed++)
        {
            double shared = 10 * Normal(random),
                walk = Normal(random);
            for (var arm = 0; arm < Means.Length; arm++)
            {
                var scatter = Scatter switch
                {
                    Scatter.OneWildArm => Normal(random) * (arm == Means.Length - 1 ? 5 : 1),
                    Scatter.Growing => Normal(random) * (arm + 1),
                    Scatter.Related => walk += Normal(random),
                    Scatter.HeavyTails => Normal(random)
                        / Math.Sqrt((Square(Normal(random)) + Square(Normal(random)) + Square(Normal(random))) / 3),
                    _ => Normal(random),
                };
                losses[arm][seed] = Means[arm] + shared + scatter;
            }
        }
        return [.. losses.Select((bySeed, arm) => new ArmLosses(arm, bySeed))];
    }

    /// <summary>The arm that a study recommends: the least smoothing among the tied.</summary>
    public static int Recommended(ArmComparison comparison) => comparison.Tied.Min();

    /// <summary>Runs the same study with successive halving, as if the seeds finished one after another.</summary>
    /// <returns>The recommended arm, whether a difference exists, and the share of the jobs that the study did not
    /// train.</returns>
    public static (int Recommended, bool DifferenceExists, double Saved) WithHalving(ArmLosses[] full)
    {
        var (left, known, seeds, trained) = (full.ToList(), new Dictionary<int, Dictionary<long, double>>(), full[0].BySeed.Count, 0);
        foreach (var arm in full)
            known[arm.Arm] = [];
        for (var seed = 0; seed < seeds; seed++)
        {
            foreach (var arm in left)
                known[arm.Arm][seed] = arm.BySeed[seed];
            trained += left.Count;
            if (seed + 1 == seeds)
                break;
            var losers = Race.Losers([.. left.Select(arm => new ArmLosses(arm.Arm, known[arm.Arm]))], full.Length);
            left.RemoveAll(arm => losers.Contains(arm.Arm));
        }
        // As in a recommendation: dropped arms are beaten, and their losses still count towards the scatter.
        var comparison = new ArmComparison(known.Select(arm => new ArmLosses(arm.Key, arm.Value)), full.Length);
        var tied = comparison.Tied.Intersect(left.Select(arm => arm.Arm)).ToList();
        return (
            tied.Count == 0 ? left[0].Arm : tied.Min(),
            comparison.DifferenceExists || left.Count < full.Length,
            1 - (double)trained / (full.Length * seeds)
        );
    }

    /// <summary>The share of draws for which <paramref name="holds"/> is true, computed on all cores.</summary>
    public double Share(int draws, Func<ArmLosses[], bool> holds)
    {
        var count = 0;
        Parallel.For(
            0,
            draws,
            draw =>
            {
                if (holds(Draw(draw)))
                    Interlocked.Increment(ref count);
            }
        );
        return (double)count / draws;
    }

    private static double Square(double x) => x * x;

    /// <summary>Draws from the standard normal distribution; Box and Muller 1958.</summary>
    public static double Normal(SplitMix64 random) =>
        Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble());
}
