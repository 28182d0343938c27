using System.Diagnostics;
using System.Globalization;
using Microsoft.Extensions.Configuration;
using Temper.Domain.Datasets;
using Temper.Domain.Studies;
using Temper.Worker.Datasets;

namespace Temper.Bench;

/// <summary>
/// Trains a study of ε on each data set through the service, and prints the figures of the test set before and after temperature, with
/// what smoothing changes, seed by seed. The figures of each job go to a CSV file.
/// </summary>
internal static class EpsilonTable
{
    private static readonly string[] Usual = ["mnist", "fashion-mnist", "kmnist", "digits"];

    /// <param name="Epochs">The epochs of every data set; null for <see cref="DefaultEpochs"/>.</param>
    public sealed record Settings(IReadOnlyList<string> Datasets, int Seeds, int? Epochs, double[] Epsilons);

    /// <param name="Column">The name in the CSV file.</param>
    /// <param name="Of">Reads it from the report; the second argument is `before` or `after`.</param>
    /// <param name="IsCompared">Whether ε = 0 is compared with each other ε; lower is then better.</param>
    /// <param name="Decimals">Decimals in the tables.</param>
    /// <param name="HasAfter">False for a figure that the report has only of the model as trained.</param>
    private sealed record Figure(
        string Title,
        string Column,
        Func<JsonNode, string, JsonNode?> Of,
        bool IsCompared = false,
        int Decimals = 4,
        bool HasAfter = true
    );

    private static readonly Figure[] Figures =
    [
        new("NLL", "nll", (report, side) => report[side]!["nll"]!["value"], IsCompared: true),
        new("ECE", "ece", (report, side) => report[side]!["ece"]!["value"], IsCompared: true),
        new("debiased ECE", "debiasedEce", (report, side) => report[side]!["ece"]!["debiased"], IsCompared: true),
        new("smooth ECE", "smoothEce", (report, side) => report[side]!["smoothEce"]!["value"]),
        new("signed gap", "signedGap", (report, side) => report[side]!["signedGap"]!["value"]),
        new("AURC", "aurc", (report, side) => report[side]!["aurc"]!["value"], IsCompared: true, Decimals: 5),
        OfSelection("AUGRC", "augrc", measures => measures["maxProbability"]!["augrc"]),
        OfSelection("AURC by norm", "aurcByNorm", measures => measures["maxLogitNorm"]!["selective"]!["aurc"]),
        OfSelection("AUGRC by norm", "augrcByNorm", measures => measures["maxLogitNorm"]!["selective"]!["augrc"]),
        .. new[] { ("split", "split"), ("APS", "aps"), ("RAPS", "raps") }.SelectMany(method =>
            new[]
            {
                OfSets(method.Item1, method.Item2, "Size", "meanSize"),
                OfSets($"{method.Item1} covers", method.Item2, "Coverage", "coverage"),
            }
        ),
    ];

    private static readonly Figure[] FiguresAfter = [.. Figures.Where(figure => figure.HasAfter)];

    private static Figure OfSelection(string title, string column, Func<JsonNode, JsonNode?> of) =>
        new(title, column, (report, _) => of(report["measures"]!), IsCompared: true, Decimals: 5, HasAfter: false);

    private static Figure OfSets(string title, string method, string column, string field) =>
        new(title, method + column, (report, side) => report["measures"]!["conformal"]![side]![method]![field]);

    /// <param name="Before">The figures of the model as trained.</param>
    /// <param name="After">Those with the logits divided by T.</param>
    private sealed record Run(
        double Epsilon,
        long Seed,
        double Accuracy,
        double Temperature,
        IReadOnlyDictionary<Figure, double> Before,
        IReadOnlyDictionary<Figure, double> After
    );

    /// <returns>Null when the arguments are wrong.</returns>
    public static Settings? Read(string[] arguments)
    {
        var (datasets, quick) = (new List<string>(), false);
        int? seeds = null,
            epochs = null;
        for (var i = 0; i < arguments.Length; i++)
            switch (arguments[i])
            {
                case "--quick":
                    quick = true;
                    break;
                case "--seeds" when int.TryParse(arguments.ElementAtOrDefault(i + 1), out var number) && number >= 2:
                    (seeds, i) = (number, i + 1);
                    break;
                case "--epochs" when int.TryParse(arguments.ElementAtOrDefault(i + 1), out var number) && number >= 1:
                    (epochs, i) = (number, i + 1);
                    break;
                case var name when DatasetCatalog.Find(name) is { } card:
                    datasets.Add(card.Name);
                    break;
                default:
                    return null;
            }
        string[] all = quick ? ["digits"] : Usual;
        return new(
            datasets.Count > 0 ? datasets : all,
            seeds ?? (quick ? 2 : 10),
            quick ? epochs ?? 1 : epochs,
            quick ? [0, 0.1] : [0, 0.02, 0.05, 0.1, 0.2, 0.3]
        );
    }

    /// <param name="csv">Path of the file that receives the figures of each job.</param>
    public static async Task RunAsync(string csv, Settings settings)
    {
        await using var database = await TestDatabase.CreateAsync();
        await using var api = await ApiProcess.StartAsync(database.ConnectionString);
        // Downloads stay in this home.
        var options = WorkerOptions.From(new ConfigurationBuilder().AddEnvironmentVariables().Build());
        await using var worker = await WorkerProcess.StartAsync(database.ConnectionString, options.Home);

        await File.WriteAllTextAsync(csv, Header);
        Console.WriteLine($"# ε against calibration, before and after temperature\n\n{Machine.Describe()}.\n");
        Console.WriteLine(
            $"The CNN, defaults otherwise, {settings.Seeds} seeds; test set, 15 bins. Mean over the seeds ± half of its 95 % interval.\n"
                + "split, APS and RAPS: mean sizes of the conformal sets for 90 % coverage, and the share of the images that they cover. "
                + "By norm: the score is the largest logit over the p-norm of the logits, which T does not change.\n"
        );
        foreach (var dataset in settings.Datasets)
        {
            if (Missing(dataset, options) is { } reason)
            {
                Console.WriteLine($"## {dataset}\n\nLeft out: {reason}\n");
                continue;
            }
            var clock = Stopwatch.StartNew();
            var epochs = settings.Epochs ?? DefaultEpochs(dataset);
            var runs = await TrainAsync(api, dataset, epochs, settings);
            await File.AppendAllTextAsync(csv, string.Concat(runs.Select(run => Line(dataset, epochs, run))));
            Console.WriteLine($"## {dataset}, {epochs} epochs\n\n{runs.Count} trainings in {clock.Elapsed.TotalMinutes:F1} minutes.\n");
            Print(runs);
        }
    }

    /// <summary>So many that 60 jobs train for about 12 minutes on two cores.</summary>
    private static int DefaultEpochs(string dataset) => DrawnDigits.Read(dataset) is null ? 2 : 20;

    /// <summary>Downloads the data set if need be.</summary>
    /// <returns>Why it cannot be had; null when it is on this machine.</returns>
    private static string? Missing(string dataset, WorkerOptions options)
    {
        try
        {
            new DatasetLoader(options, Console.Error.WriteLine).Load(dataset, CancellationToken.None);
            return null;
        }
        catch (DatasetUnavailableException e)
        {
            return e.Message;
        }
    }

    private static async Task<List<Run>> TrainAsync(ApiProcess api, string dataset, int epochs, Settings settings)
    {
        var study = await StudyRun.FinishAsync(
            api,
            new
            {
                job = new { dataset, epochs },
                epsilons = settings.Epsilons,
                seeds = settings.Seeds,
            }
        );
        var runs = new List<Run>();
        foreach (var (id, epsilon, seed) in await StudyRun.JobsAsync(api, study))
            runs.Add(await RunOfAsync(api, id, epsilon, seed));
        return runs;
    }

    private static async Task<Run> RunOfAsync(ApiProcess api, Guid job, double epsilon, long seed)
    {
        var report = await api.GetAsync($"/jobs/{job}/calibration?measures=true&resamples=0");
        return new(
            epsilon,
            seed,
            report["before"]!["accuracy"]!["value"]!.GetValue<double>(),
            report["temperatureFit"]!["temperature"]!.GetValue<double>(),
            Figures.ToDictionary(figure => figure, figure => figure.Of(report, "before")!.GetValue<double>()),
            FiguresAfter.ToDictionary(figure => figure, figure => figure.Of(report, "after")!.GetValue<double>())
        );
    }

    private static string Header =>
        $"dataset,epochs,epsilon,seed,accuracy,{string.Join(',', Figures.Select(figure => figure.Column))},temperature,"
        + $"{string.Join(',', FiguresAfter.Select(figure => $"{figure.Column}AfterTemperature"))}\n";

    private static string Line(string dataset, int epochs, Run run)
    {
        IEnumerable<double> figures =
        [
            run.Accuracy,
            .. Figures.Select(figure => run.Before[figure]),
            run.Temperature,
            .. FiguresAfter.Select(figure => run.After[figure]),
        ];
        var shown = figures.Select(figure => figure.ToString("0.########", CultureInfo.InvariantCulture));
        // The name of drawn digits can have commas.
        return string.Create(CultureInfo.InvariantCulture, $"\"{dataset}\",{epochs},{run.Epsilon},{run.Seed},{string.Join(',', shown)}\n");
    }

    private static void Print(List<Run> runs)
    {
        Means("As trained", runs, ("accuracy", run => run.Accuracy), Figures, run => run.Before);
        Means("After temperature", runs, ("T", run => run.Temperature), FiguresAfter, run => run.After);
        var (before, after) = (Comparisons(runs, Figures, run => run.Before), Comparisons(runs, FiguresAfter, run => run.After));
        Console.WriteLine("**Difference to ε = 0, paired by seed: mean [95 % interval]; below 0 the smoothed ε is better**\n");
        var compared = Figures.Where(figure => figure.IsCompared).ToList();
        Markdown.Head([
            "ε",
            .. compared.Select(figure => figure.Title),
            .. compared.Where(figure => figure.HasAfter).Select(figure => $"{figure.Title} after T"),
        ]);
        foreach (var epsilon in Smoothed(runs))
            Markdown.Row([Show(epsilon), .. before.Concat(after).Where(one => one.Epsilon == epsilon).Select(Show)]);
        Console.WriteLine(
            "\n**Normalized logits less the largest probability, paired by seed: mean [95 % interval]; below 0 the normalized logits find "
                + "the wrong predictions better**\n"
        );
        (Figure Norm, Figure Probability)[] scores = [(Named("aurcByNorm"), Named("aurc")), (Named("augrcByNorm"), Named("augrc"))];
        Markdown.Head(["ε", .. scores.Select(score => score.Probability.Title)]);
        foreach (var arm in runs.GroupBy(run => run.Epsilon))
            Markdown.Row([
                Show(arm.Key),
                .. scores.Select(score =>
                    Markdown.Difference(
                        PairedDifference.Of(
                            arm.ToDictionary(run => run.Seed, run => run.Before[score.Norm]),
                            arm.ToDictionary(run => run.Seed, run => run.Before[score.Probability])
                        ),
                        score.Norm.Decimals
                    )
                ),
            ]);
        Console.WriteLine("\n**Verdict: does smoothing win before temperature, and lose after it?**\n");
        Markdown.Head(["by", "before", "better ε", "worse ε", "after", "better ε", "worse ε", "wins before, loses after"]);
        foreach (var figure in compared)
        {
            var first = Outcome(before.Where(one => one.Figure == figure));
            if (!figure.HasAfter)
            {
                Markdown.Row([figure.Title, first.Word, first.Better, first.Worse, "–", "–", "–", "–"]);
                continue;
            }
            var second = Outcome(after.Where(one => one.Figure == figure));
            var both = first.Word == "wins" && second.Word == "loses" ? "yes" : "no";
            Markdown.Row([figure.Title, first.Word, first.Better, first.Worse, second.Word, second.Better, second.Worse, both]);
        }
        Console.WriteLine();
    }

    private static Figure Named(string column) => Figures.Single(figure => figure.Column == column);

    private static void Means(
        string title,
        List<Run> runs,
        (string Title, Func<Run, double> Of) first,
        Figure[] figures,
        Func<Run, IReadOnlyDictionary<Figure, double>> side
    )
    {
        Console.WriteLine($"**{title}**\n");
        Markdown.Head(["ε", first.Title, .. figures.Select(figure => figure.Title)]);
        foreach (var arm in runs.GroupBy(run => run.Epsilon))
            Markdown.Row([
                Show(arm.Key),
                Markdown.Mean(arm.Select(first.Of), 4),
                .. figures.Select(figure => Markdown.Mean(arm.Select(run => side(run)[figure]), figure.Decimals)),
            ]);
        Console.WriteLine();
    }

    /// <param name="Difference">The loss with this ε less that with ε = 0.</param>
    private sealed record Comparison(Figure Figure, double Epsilon, PairedDifference Difference);

    private static List<Comparison> Comparisons(List<Run> runs, Figure[] figures, Func<Run, IReadOnlyDictionary<Figure, double>> side)
    {
        return
        [
            .. from figure in figures
            where figure.IsCompared
            from epsilon in Smoothed(runs)
            select new Comparison(figure, epsilon, PairedDifference.Of(BySeed(epsilon, figure), BySeed(0, figure))),
        ];

        Dictionary<long, double> BySeed(double epsilon, Figure figure) =>
            runs.Where(run => run.Epsilon == epsilon).ToDictionary(run => run.Seed, run => side(run)[figure]);
    }

    /// <summary>
    /// Smoothing wins when some ε is better than ε = 0, and loses when none is better and some ε is worse. Each side is judged at 2.5 %,
    /// divided by the number of ε.
    /// </summary>
    private static (string Word, string Better, string Worse) Outcome(IEnumerable<Comparison> comparisons)
    {
        var list = comparisons.ToList();
        var tail = 0.025 / list.Count;
        var better = list.Where(one => one.Difference.Interval(tail)!.Value.High < 0).ToList();
        var worse = list.Where(one => one.Difference.Interval(tail)!.Value.Low > 0).ToList();
        var word =
            better.Count > 0 ? "wins"
            : worse.Count > 0 ? "loses"
            : "ties";
        return (word, Names(better), Names(worse));

        static string Names(List<Comparison> those) => string.Join(", ", those.Select(one => Show(one.Epsilon)).DefaultIfEmpty("–"));
    }

    private static IEnumerable<double> Smoothed(List<Run> runs) => runs.Select(run => run.Epsilon).Where(epsilon => epsilon > 0).Distinct();

    private static string Show(Comparison comparison) => Markdown.Difference(comparison.Difference, comparison.Figure.Decimals);

    private static string Show(double epsilon) => epsilon.ToString(CultureInfo.InvariantCulture);
}
