using System.Diagnostics;
using Temper.Domain.Studies;

namespace Temper.Bench;

/// <summary>Measures how often a study's statistics are wrong, on simulated studies with known truth.</summary>
internal static class StudySimulation
{
    private const int Arms = 6;

    private static readonly int[] OtherArms = [2, 3, 12, 20, 50];

    private static readonly int[] Seeds = [2, 3, 5, 10];

    public static void Run(int draws)
    {
        var (clock, chance) = (Stopwatch.StartNew(), 1.96 * Math.Sqrt(0.05 * 0.95 / draws));
        Console.WriteLine($"# A study's statistics on simulated studies\n\n{Machine.Describe()}\n");
        Console.WriteLine(
            $"{draws} draws a cell (a quarter with 12 arms and more), {Arms} arms unless it says otherwise, seeds paired; each "
                + "seed's own difficulty ten times the scatter of a job (tests/Harness/SimulatedStudies.cs). A true rate of 5 % gives "
                + $"{0.05 - chance:P1} to {0.05 + chance:P1} in 95 of 100 cells of {draws} draws.\n"
        );

        Table(
            "No true difference: how often one is claimed (wanted: at most 5 %)",
            (scatter, seeds) =>
                new SimulatedStudies(new double[Arms], seeds, scatter).Share(draws, losses => new ArmComparison(losses).DifferenceExists)
        );
        foreach (var arms in OtherArms)
            Table(
                $"The same with {arms} arms",
                (scatter, seeds) =>
                    new SimulatedStudies(new double[arms], seeds, scatter).Share(
                        arms < 12 ? draws : draws / 4,
                        losses => new ArmComparison(losses).DifferenceExists
                    )
            );
        Table(
            "The same with successive halving",
            (scatter, seeds) =>
                new SimulatedStudies(new double[Arms], seeds, scatter).Share(
                    draws,
                    losses => SimulatedStudies.WithHalving(losses).DifferenceExists
                )
        );
        foreach (var (name, means) in Truths)
            Table(
                $"Planted best, {name}: how often it is among the tied (wanted: at least 95 %)",
                (scatter, seeds) =>
                    new SimulatedStudies(means(seeds), seeds, scatter).Share(draws, losses => new ArmComparison(losses).Tied.Contains(2))
            );
        Table(
            "One arm 6 standard errors worse than the other five: how often it leaves the tied (wanted: at least 95 % with 10 seeds)",
            (scatter, seeds) =>
                new SimulatedStudies([0, 0, 0, SimulatedStudies.StandardErrors(6, seeds), 0, 0], seeds, scatter).Share(
                    draws,
                    losses => !new ArmComparison(losses).Tied.Contains(3)
                )
        );
        Table(
            "One arm 6 standard errors better than the other five: how often all five leave",
            (scatter, seeds) =>
                new SimulatedStudies(
                    [.. Enumerable.Range(0, Arms).Select(arm => arm == 2 ? 0 : SimulatedStudies.StandardErrors(6, seeds))],
                    seeds,
                    scatter
                ).Share(draws, losses => new ArmComparison(losses).Tied is [2])
        );
        foreach (var (name, means) in Truths.Prepend(("no true difference", _ => new double[Arms])))
        {
            Table(
                $"Halving, {name}: how often it changes the recommendation of the full grid (wanted: at most 5 %)",
                (scatter, seeds) =>
                    new SimulatedStudies(means(seeds), seeds, scatter).Share(
                        draws,
                        losses =>
                            SimulatedStudies.WithHalving(losses).Recommended != SimulatedStudies.Recommended(new ArmComparison(losses))
                    )
            );
            Table(
                $"Halving, {name}: jobs saved",
                (scatter, seeds) =>
                {
                    var study = new SimulatedStudies(means(seeds), seeds, scatter);
                    return Enumerable
                        .Range(0, Math.Min(draws, 2000))
                        .AsParallel()
                        .Average(draw => SimulatedStudies.WithHalving(study.Draw(draw)).Saved);
                }
            );
        }
        Console.WriteLine($"{clock.Elapsed.TotalSeconds:F0} s.");
    }

    /// <summary>
    /// Cases in which arm 2 is best. The values say how much worse the other arms are, in units of the scatter.
    /// </summary>
    private static readonly (string Name, Func<int, double[]> Means)[] Truths =
    [
        ("the others a little worse (1 standard error)", seeds => Others(_ => SimulatedStudies.StandardErrors(1, seeds))),
        ("the others worse by 3 standard errors", seeds => Others(_ => SimulatedStudies.StandardErrors(3, seeds))),
        ("worse with distance, by 1 of the scatter a step", _ => Others(arm => Math.Abs(arm - 2))),
        ("worse with distance, by 2 of the scatter a step", _ => Others(arm => 2 * Math.Abs(arm - 2))),
        ("worse with distance, by 10 of the scatter a step, as ECE on MNIST", _ => Others(arm => 10 * Math.Abs(arm - 2))),
    ];

    private static double[] Others(Func<int, double> worse) => [.. Enumerable.Range(0, Arms).Select(arm => arm == 2 ? 0 : worse(arm))];

    private static void Table(string title, Func<Scatter, int, double> cell)
    {
        Console.WriteLine($"**{title}**\n");
        Markdown.Head(["scatter", .. Seeds.Select(seeds => $"{seeds} seeds")]);
        foreach (var scatter in Enum.GetValues<Scatter>())
            Markdown.Row([$"{scatter}", .. Seeds.Select(seeds => $"{cell(scatter, seeds):P1}")]);
        Console.WriteLine();
    }
}
