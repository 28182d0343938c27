using System.Diagnostics;
using System.Globalization;
using System.Net.Http.Json;
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
    /// <param name="Of">Reads it from `before` or `after` of the report, and from the same of its conformal sets.</param>
    /// <param name="IsCompared">Whether ε = 0 is compared with each other ε; lower is then better.</param>
    /// <param name="Decimals">Decimals in the tables.</param>
    private sealed record Figure(
        string Title,
        string Column,
        Func<JsonNode, JsonNode, JsonNode?> Of,
        bool IsCompared = false,
        int Decimals = 4
    );

    private static readonly Figure[] Figures =
    [
        new("NLL", "nll", (side, _) => side["nll"]!["value"], IsCompared: true),
        new("ECE", "ece", (side, _) => side["ece"]!["value"], IsCompared: true),
        new("debiased ECE", "debiasedEce", (side, _) => side["ece"]!["debiased"], IsCompared: true),
        new("smooth ECE", "smoothEce", (side, _) => side["smoothEce"]!["value"]),
        new("signed gap", "signedGap", (side, _) => side["signedGap"]!["value"]),
        new("AURC", "aurc", (side, _) => side["aurc"]!["value"], IsCompared: true, Decimals: 5),
        new("split", "splitSize", (_, sets) => sets["split"]!["meanSize"]),
        new("APS", "apsSize", (_, sets) => sets["aps"]!["meanSize"]),
        new("RAPS", "rapsSize", (_, sets) => sets["raps"]!["meanSize"]),
    ];

    /// <param name="Before">The figures of the model as trained, in the order of <see cref="Figures"/>.</param>
    /// <param name="After">The same with the logits divided by T.</param>
    private sealed record Run(double Epsilon, long Seed, double Accuracy, double Temperature, double[] Before, double[] After);

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
                + "split, APS and RAPS: mean sizes of the conformal sets for 90 % coverage.\n"
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
        using var created = await api.Http.PostAsJsonAsync(
            "/studies",
            new
            {
                job = new { dataset, epochs },
                epsilons = settings.Epsilons,
                seeds = settings.Seeds,
            }
        );
        var answer = JsonNode.Parse(await created.Content.ReadAsStringAsync())!;
        if (!created.IsSuccessStatusCode)
            throw new InvalidOperationException(answer.ToJsonString());
        var id = answer["id"]!.GetValue<Guid>();
        JsonNode study;
        // Polls slowly, because each request takes a little time from the training.
        do
        {
            await Task.Delay(TimeSpan.FromSeconds(1));
            study = await api.GetAsync($"/studies/{id}");
        } while (!study["isTerminal"]!.GetValue<bool>());
        if (study["progress"]!["succeeded"]!.GetValue<int>() != study["progress"]!["jobs"]!.GetValue<int>())
            throw new InvalidOperationException($"Not all jobs of {dataset} have succeeded: {study["progress"]!.ToJsonString()}");

        var report = await api.GetAsync($"/studies/{id}/report?format=json");
        var epsilons = report["arms"]!
            .AsArray()
            .ToDictionary(arm => arm!["number"]!.GetValue<int>(), arm => arm!["arm"]!["epsilon"]!.GetValue<double>());
        var runs = new List<Run>();
        foreach (var job in report["jobs"]!.AsArray())
            runs.Add(await RunOfAsync(api, job!, epsilons[job!["arm"]!.GetValue<int>()]));
        return [.. runs.OrderBy(run => run.Epsilon).ThenBy(run => run.Seed)];
    }

    private static async Task<Run> RunOfAsync(ApiProcess api, JsonNode job, double epsilon)
    {
        var report = await api.GetAsync($"/jobs/{job["id"]}/calibration?measures=true&resamples=0");
        return new(
            epsilon,
            job["seed"]!.GetValue<long>(),
            report["before"]!["accuracy"]!["value"]!.GetValue<double>(),
            report["temperatureFit"]!["temperature"]!.GetValue<double>(),
            Side("before"),
            Side("after")
        );

        double[] Side(string side) =>
            [.. Figures.Select(figure => figure.Of(report[side]!, report["measures"]!["conformal"]![side]!)!.GetValue<double>())];
    }

    private static string Header =>
        $"dataset,epochs,epsilon,seed,accuracy,{string.Join(',', Figures.Select(figure => figure.Column))},temperature,"
        + $"{string.Join(',', Figures.Select(figure => $"{figure.Column}AfterTemperature"))}\n";

    private static string Line(string dataset, int epochs, Run run)
    {
        IEnumerable<double> figures = [run.Accuracy, .. run.Before, run.Temperature, .. run.After];
        var shown = figures.Select(figure => figure.ToString("0.########", CultureInfo.InvariantCulture));
        // The name of drawn digits can have commas.
        return string.Create(CultureInfo.InvariantCulture, $"\"{dataset}\",{epochs},{run.Epsilon},{run.Seed},{string.Join(',', shown)}\n");
    }

    private static void Print(List<Run> runs)
    {
        Means("As trained", runs, ("accuracy", run => run.Accuracy), run => run.Before);
        Means("After temperature", runs, ("T", run => run.Temperature), run => run.After);
        var (before, after) = (Comparisons(runs, run => run.Before), Comparisons(runs, run => run.After));
        Console.WriteLine("**Difference to ε = 0, paired by seed: mean [95 % interval]; below 0 the smoothed ε is better**\n");
        var compared = Figures.Where(figure => figure.IsCompared).ToList();
        Head(["ε", .. compared.Select(figure => figure.Title), .. compared.Select(figure => $"{figure.Title} after T")]);
        foreach (var epsilon in Smoothed(runs))
            Row([Show(epsilon), .. before.Concat(after).Where(one => one.Epsilon == epsilon).Select(Show)]);
        Console.WriteLine("\n**Verdict: does smoothing win before temperature, and lose after it?**\n");
        Head(["by", "before", "better ε", "worse ε", "after", "better ε", "worse ε", "wins before, loses after"]);
        foreach (var figure in compared)
        {
            var (first, second) = (Outcome(before.Where(one => one.Figure == figure)), Outcome(after.Where(one => one.Figure == figure)));
            var both = first.Word == "wins" && second.Word == "loses" ? "yes" : "no";
            Row([figure.Title, first.Word, first.Better, first.Worse, second.Word, second.Better, second.Worse, both]);
        }
        Console.WriteLine();
    }

    private static void Means(string title, List<Run> runs, (string Title, Func<Run, double> Of) first, Func<Run, double[]> side)
    {
        Console.WriteLine($"**{title}**\n");
        Head(["ε", first.Title, .. Figures.Select(figure => figure.Title)]);
        foreach (var arm in runs.GroupBy(run => run.Epsilon))
            Row([
                Show(arm.Key),
                Mean(arm.Select(first.Of), 4),
                .. Figures.Select((figure, i) => Mean(arm.Select(run => side(run)[i]), figure.Decimals)),
            ]);
        Console.WriteLine();
    }

    /// <param name="Difference">The loss with this ε less that with ε = 0.</param>
    private sealed record Comparison(Figure Figure, double Epsilon, PairedDifference Difference);

    private static List<Comparison> Comparisons(List<Run> runs, Func<Run, double[]> side)
    {
        return
        [
            .. from figure in Enumerable.Range(0, Figures.Length)
            where Figures[figure].IsCompared
            from epsilon in Smoothed(runs)
            select new Comparison(Figures[figure], epsilon, PairedDifference.Of(BySeed(epsilon, figure), BySeed(0, figure))),
        ];

        Dictionary<long, double> BySeed(double epsilon, int figure) =>
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

    private static void Head(IReadOnlyList<string> titles)
    {
        Row(titles);
        Console.WriteLine($"|{string.Concat(titles.Select(_ => "---|"))}");
    }

    private static void Row(IEnumerable<string> cells) => Console.WriteLine($"| {string.Join(" | ", cells)} |");

    private static string Mean(IEnumerable<double> values, int decimals)
    {
        var (mean, half) = values.ToList().Interval();
        var format = $"F{decimals}";
        return $"{mean.ToString(format, CultureInfo.InvariantCulture)} ± {half.ToString(format, CultureInfo.InvariantCulture)}";
    }

    private static string Show(Comparison comparison)
    {
        var interval = comparison.Difference.Interval(0.025)!.Value;
        return $"{Signed(comparison.Difference.Mean)} [{Signed(interval.Low)}, {Signed(interval.High)}]";

        string Signed(double value)
        {
            var shown = value.ToString($"F{comparison.Figure.Decimals}", CultureInfo.InvariantCulture);
            return value < 0 ? shown.Replace('-', '−') : $"+{shown}";
        }
    }

    private static string Show(double epsilon) => epsilon.ToString(CultureInfo.InvariantCulture);
}
