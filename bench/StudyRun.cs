using System.Net.Http.Json;
using System.Text.Json;
using Temper.Domain.Serialization;
using Temper.Domain.Smoothing;

namespace Temper.Bench;

/// <summary>Runs studies through the service and prints their recommendations and rows.</summary>
internal static class StudyRun
{
    private static readonly string[] Figures =
    [
        "accuracy",
        "nll",
        "ece",
        "eceAfterTemperature",
        "nllAfterTemperature",
        "signedGap",
        "trainTestGap",
        "aurc",
        "temperature",
    ];

    public static async Task RunAsync(bool quick)
    {
        Console.WriteLine($"# Studies\n\n{Machine.Describe()}. One worker, the CNN, the default grid of ε, 3 seeds.\n");
        if (quick)
        {
            await RunAsync(
                "digits, 1 epoch",
                new
                {
                    job = new { dataset = "digits", epochs = 1 },
                    epsilons = new[] { 0, 0.1 },
                    seeds = 2,
                    criterion = "ece",
                }
            );
            return;
        }
        await RunAsync("MNIST, 2 epochs, by ECE", new { job = new { dataset = "mnist", epochs = 2 }, criterion = "ece" });
        await RunAsync("digits, 20 epochs (over-fitted), by ECE", new { job = new { dataset = "digits", epochs = 20 }, criterion = "ece" });
        await RunAsync(
            "digits with 40 % of the labels wrong, 20 epochs, by accuracy",
            new
            {
                job = new
                {
                    dataset = "digits",
                    epochs = 20,
                    labelNoise = 0.4,
                },
                criterion = "accuracy",
            }
        );
        await RunAsync(
            "MNIST, 2 epochs, by ECE, with successive halving and 6 seeds",
            new
            {
                job = new
                {
                    dataset = "mnist",
                    epochs = 2,
                    model = "mlp",
                    widths = new[] { 256 },
                },
                criterion = "ece",
                seeds = 6,
                successiveHalving = true,
            }
        );
    }

    /// <summary>Runs one study on one worker, and prints it.</summary>
    public static async Task RunAsync(string title, object spec)
    {
        await using var database = await TestDatabase.CreateAsync();
        await using var api = await ApiProcess.StartAsync(database.ConnectionString);
        var home = Directory.CreateTempSubdirectory("temper-bench-").FullName;
        await using var worker = await WorkerProcess.StartAsync(database.ConnectionString, home);

        var study = await FinishAsync(api, spec);
        await PrintAnswerAsync(api, title, study);
        PrintRows(study);
        Directory.Delete(home, recursive: true);
    }

    /// <summary>Submits a study, and waits until all its jobs have ended.</summary>
    public static async Task<JsonNode> FinishAsync(ApiProcess api, object spec)
    {
        using var created = await api.Http.PostAsJsonAsync("/studies", spec);
        var study = JsonNode.Parse(await created.Content.ReadAsStringAsync())!;
        if (!created.IsSuccessStatusCode)
            throw new InvalidOperationException(study.ToJsonString());
        var id = study["id"]!.GetValue<Guid>();
        // Polls slowly, because each request takes a little time from the training.
        do
        {
            await Task.Delay(TimeSpan.FromSeconds(1));
            study = await api.GetAsync($"/studies/{id}");
        } while (!study["isTerminal"]!.GetValue<bool>());
        return study;
    }

    /// <returns>The jobs of a finished study by ε and seed.</returns>
    /// <exception cref="InvalidOperationException">A job has not succeeded.</exception>
    public static async Task<List<(Guid Id, double Epsilon, long Seed)>> JobsAsync(ApiProcess api, JsonNode study)
    {
        if (study["progress"]!["succeeded"]!.GetValue<int>() != study["progress"]!["jobs"]!.GetValue<int>())
            throw new InvalidOperationException($"Not all jobs have succeeded: {study["progress"]!.ToJsonString()}");
        var report = await api.GetAsync($"/studies/{study["id"]}/report?format=json");
        var epsilons = report["arms"]!
            .AsArray()
            .ToDictionary(arm => arm!["number"]!.GetValue<int>(), arm => arm!["arm"]!["epsilon"]!.GetValue<double>());
        var jobs = report["jobs"]!
            .AsArray()
            .Select(job => (job!["id"]!.GetValue<Guid>(), epsilons[job["arm"]!.GetValue<int>()], job["seed"]!.GetValue<long>()));
        return [.. jobs.OrderBy(job => job.Item2).ThenBy(job => job.Item3)];
    }

    /// <summary>Prints what the service says about a study: its recommendation and findings.</summary>
    public static async Task PrintAnswerAsync(ApiProcess api, string title, JsonNode study)
    {
        var recommendation = await api.GetAsync($"/studies/{study["id"]}/recommendation");
        Console.WriteLine($"## {title}\n\n**{recommendation["sentence"]} {recommendation["inShort"]}**\n");
        foreach (var finding in recommendation["findings"]!.AsArray())
            Console.WriteLine($"- {finding}");
        Console.WriteLine();
    }

    private static void PrintRows(JsonNode study)
    {
        Markdown.Head(["arm", "seeds", .. Figures]);
        foreach (var row in study["rows"]!.AsArray())
            Markdown.Row([Name(row!), $"{row!["seeds"]}", .. Figures.Select(figure => Show(row[figure]))]);
        Console.WriteLine(
            $"\n{study["progress"]!["succeeded"]} of {study["progress"]!["jobs"]} jobs trained, {study["progress"]!["dropped"]} dropped.\n"
        );
    }

    private static string Name(JsonNode row)
    {
        var settings = row["settings"]!.AsObject().Select(setting => $"{setting.Key} {setting.Value?.ToString() ?? "none"}");
        var hasEpsilon = row["settings"]!["loss"] is not { } loss || TrainingLoss.TakesEpsilon(loss.Deserialize<LossName>(Json.Options));
        return string.Join(", ", hasEpsilon ? settings.Prepend($"ε = {row["epsilon"]}") : settings);
    }

    /// <summary>Formats the mean ± half of its 95 % interval.</summary>
    private static string Show(JsonNode? figure)
    {
        if (figure?["mean"] is not { } mean)
            return "–";
        var half = figure["interval"] is { } interval
            ? (interval["high"]!.GetValue<double>() - interval["low"]!.GetValue<double>()) / 2
            : double.NaN;
        return $"{mean.GetValue<double>():0.0000} ± {half:0.0000}";
    }
}
