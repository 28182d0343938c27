using System.Diagnostics;
using System.Globalization;
using Microsoft.Extensions.Configuration;
using Temper.Domain.Datasets;
using Temper.Domain.Studies;

namespace Temper.Bench;

/// <summary>
/// Trains studies of ε through the service, and prints the figures on the test images as they are and corrupted, before and after the
/// temperature that is fitted on clean validation images. The figures of each job go to a CSV file.
/// </summary>
internal static class Corruptions
{
    /// <param name="Name">What `--only` names, and the column `study` of the CSV file.</param>
    private sealed record Study(string Name, string Dataset, int Epochs, int Seeds);

    private static readonly Study[] Studies =
    [
        new("digits", "digits", 3, 5),
        new("mnist", "mnist", 2, 3),
        new("overfitted", "digits", 20, 5),
    ];

    public static IReadOnlyList<string> Parts { get; } = [.. Studies.Select(study => study.Name)];

    private static readonly (string Title, string Column, Func<JsonNode, double> Of)[] Figures =
    [
        ("error", "error", scores => 1 - scores["accuracy"]!.GetValue<double>()),
        .. new[] { ("NLL", "nll"), ("NLL after T", "nllAfterTemperature"), ("ECE", "ece"), ("ECE after T", "eceAfterTemperature") }.Select(
            figure => (figure.Item1, figure.Item2, (Func<JsonNode, double>)(scores => scores[figure.Item2]!.GetValue<double>()))
        ),
    ];

    /// <param name="Strength">1 to 5; 0 for the test images as they are.</param>
    /// <param name="Figures">In the order of <see cref="Corruptions.Figures"/>.</param>
    private sealed record Row(string Kind, int Strength, double[] Figures);

    private sealed record Run(double Epsilon, long Seed, double Temperature, List<Row> Rows)
    {
        /// <summary>The mean over some images of a figure.</summary>
        public double Mean(Group group, int figure) => Rows.Where(group.Has).Average(row => row.Figures[figure]);
    }

    /// <summary>Corruptions over which the tables have means.</summary>
    private sealed record Group(string Name, Func<Row, bool> Has);

    private static readonly Group Clean = new("clean", row => row.Strength == 0),
        All = new("all 20", row => row.Strength > 0);

    private static readonly Group[] Kinds =
    [
        Clean,
        .. Enum.GetNames<CorruptionKind>().Select(name => name.ToLowerInvariant()).Select(kind => new Group(kind, row => row.Kind == kind)),
        All,
    ];

    private static readonly Group[] Strengths =
    [
        .. Enumerable.Range(1, 5).Select(strength => new Group($"strength {strength}", row => row.Strength == strength)),
    ];

    /// <param name="csv">Path of the file that receives the figures of each job.</param>
    /// <param name="only">One of <see cref="Parts"/>; null for all.</param>
    public static async Task RunAsync(string csv, bool quick, string? only)
    {
        await using var database = await TestDatabase.CreateAsync();
        await using var api = await ApiProcess.StartAsync(database.ConnectionString);
        var options = WorkerOptions.From(new ConfigurationBuilder().AddEnvironmentVariables().Build());
        await using var worker = await WorkerProcess.StartAsync(database.ConnectionString, options.Home);

        await File.WriteAllTextAsync(
            csv,
            $"study,epsilon,seed,temperature,kind,strength,{string.Join(',', Figures.Select(figure => figure.Column))}\n"
        );
        Console.WriteLine($"# Robustness to corruption for each ε\n\n{Machine.Describe()}.\n");
        Study[] studies = quick ? [new("quick", "digits", 1, 2)] : Studies;
        foreach (var study in studies.Where(study => only is null || study.Name == only))
        {
            var clock = Stopwatch.StartNew();
            var runs = await TrainAsync(api, study, quick ? [0, 0.1] : StudySpec.DefaultEpsilons);
            await File.AppendAllLinesAsync(csv, runs.SelectMany(run => Lines(study, run)));
            Console.WriteLine($"{runs.Count} trainings in {clock.Elapsed.TotalMinutes:F1} minutes.\n");
            Print(runs);
        }
    }

    private static async Task<List<Run>> TrainAsync(ApiProcess api, Study settings, IReadOnlyList<double> epsilons)
    {
        var study = await StudyRun.FinishAsync(
            api,
            new
            {
                job = new
                {
                    dataset = settings.Dataset,
                    epochs = settings.Epochs,
                    corruptions = true,
                },
                epsilons,
                seeds = settings.Seeds,
            }
        );
        await StudyRun.PrintAnswerAsync(api, $"{settings.Dataset}, epochs: {settings.Epochs}, seeds: {settings.Seeds}", study);
        var runs = new List<Run>();
        foreach (var (id, epsilon, seed) in await StudyRun.JobsAsync(api, study))
        {
            var answer = await api.GetAsync($"/jobs/{id}/corruptions");
            runs.Add(
                new(
                    epsilon,
                    seed,
                    answer["temperature"]!.GetValue<double>(),
                    [
                        RowOf("clean", 0, answer["clean"]!),
                        .. answer["rows"]!
                            .AsArray()
                            .Select(row => RowOf(row!["kind"]!.GetValue<string>(), row["strength"]!.GetValue<int>(), row["scores"]!)),
                    ]
                )
            );
        }
        return runs;
    }

    private static Row RowOf(string kind, int strength, JsonNode scores) =>
        new(kind, strength, [.. Figures.Select(figure => figure.Of(scores))]);

    private static IEnumerable<string> Lines(Study study, Run run) =>
        run.Rows.Select(row =>
            string.Create(
                CultureInfo.InvariantCulture,
                $"{study.Name},{run.Epsilon},{run.Seed},{run.Temperature:0.######},{row.Kind},{row.Strength},"
                    + $"{string.Join(',', row.Figures.Select(figure => figure.ToString("0.######", CultureInfo.InvariantCulture)))}"
            )
        );

    private static void Print(List<Run> runs)
    {
        var arms = runs.GroupBy(run => run.Epsilon).ToList();
        Console.WriteLine(
            "T, fitted on validation images that are not corrupted: "
                + string.Join(", ", arms.Select(arm => $"{Markdown.Mean(arm.Select(run => run.Temperature), 3)} at ε = {Show(arm.Key)}"))
                + ".\n"
        );
        Means("By kind, means over the five strengths", Kinds, arms);
        Means("By strength, means over the four kinds", Strengths, arms);

        Console.WriteLine("**Difference to ε = 0, paired by seed: mean [95 % interval]; below 0 the smoothed ε is better**\n");
        Markdown.Head(["images", "ε", .. Figures.Select(figure => figure.Title)]);
        foreach (var group in Kinds)
        foreach (var arm in arms.Where(arm => arm.Key > 0))
            Markdown.Row([
                group.Name,
                Show(arm.Key),
                .. Figures.Select(
                    (_, i) =>
                        Markdown.Difference(
                            PairedDifference.Of(BySeed(arm, group, i), BySeed(arms.Single(one => one.Key == 0), group, i)),
                            4
                        )
                ),
            ]);
        Console.WriteLine();
    }

    private static void Means(string title, Group[] groups, List<IGrouping<double, Run>> arms)
    {
        Console.WriteLine($"**{title}**\n");
        Markdown.Head(["images", "ε", .. Figures.Select(figure => figure.Title)]);
        foreach (var group in groups)
        foreach (var arm in arms)
            Markdown.Row([group.Name, Show(arm.Key), .. Figures.Select((_, i) => Markdown.Mean(arm.Select(run => run.Mean(group, i)), 4))]);
        Console.WriteLine();
    }

    private static Dictionary<long, double> BySeed(IEnumerable<Run> arm, Group group, int figure) =>
        arm.ToDictionary(run => run.Seed, run => run.Mean(group, figure));

    private static string Show(double epsilon) => epsilon.ToString(CultureInfo.InvariantCulture);
}
