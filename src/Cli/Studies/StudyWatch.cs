using System.Text.Json.Nodes;
using Spectre.Console.Rendering;
using Temper.Cli.Http;
using Temper.Cli.Output;

namespace Temper.Cli.Studies;

/// <summary>What is known of a study that is watched.</summary>
internal sealed class StudyWatch : IWatched
{
    private string state = "";
    private JsonNode? progress;

    /// <summary>Watches a study until it has ended, and shows what it recommends.</summary>
    public static async Task<int> RunAsync(Service service, Guid id, bool json, CancellationToken cancellation)
    {
        await Watching.UntilTheEndAsync(
            new StudyWatch(),
            new Changes(service, $"studies/{id}"),
            json,
            $"Study {id} goes on. temper study watch {id} shows it again, temper study cancel {id} ends it.",
            cancellation
        );
        var study = await service.GetAsync($"studies/{id}", cancellation);
        if (json)
            Terminal.WriteJson(study);
        else
        {
            Show(study);
            ShowRecommendation(await service.GetAsync($"studies/{id}/recommendation", cancellation));
        }
        return study["state"]!.GetValue<string>() == "succeeded" ? ExitCodes.Done : ExitCodes.JobNotSucceeded;
    }

    public void Take(Change change)
    {
        if (change.Type == "study")
            (state, progress) = (change.Data["state"]!.GetValue<string>(), change.Data["progress"]?.DeepClone());
    }

    public string Line =>
        string.Join("   ", new[] { state }.Concat(Counts().Select(count => $"{count.Count} {count.State}")).Where(part => part.Length > 0));

    public double Share
    {
        get
        {
            var ended = Counts().Where(count => count.State is "succeeded" or "failed" or "cancelled").Sum(count => count.Count);
            return progress?["jobs"]?.GetValue<int>() is > 0 and var jobs ? (double)ended / jobs : 0;
        }
    }

    public IRenderable? Table => null;

    public static void Show(JsonNode study)
    {
        var progress = study["progress"]!;
        Terminal.WriteLine($"Study {study["id"]} is {study["state"]}: {progress["succeeded"]} of {progress["jobs"]} jobs have succeeded.");
        var table = Terminal
            .Table(
                "ε",
                "smoothing",
                "model",
                "settings",
                "learning rate",
                "label noise",
                "seeds",
                "accuracy",
                "NLL",
                "ECE",
                "after T",
                "signed gap"
            )
            .NumbersFrom(4);
        foreach (var row in study["rows"]!.AsArray())
            table.Row(
                Terminal.Plain(row!["epsilon"]),
                Terminal.Plain(row["smoothing"]),
                Terminal.Plain(row["model"]),
                Settings(row),
                Terminal.Plain(row["learningRate"]),
                Terminal.Plain(row["labelNoise"]),
                Terminal.Plain(row["seeds"]),
                Mean(row, "accuracy"),
                Mean(row, "nll"),
                Mean(row, "ece"),
                Mean(row, "eceAfterTemperature"),
                Mean(row, "signedGap")
            );
        Terminal.Out.Write(table);
    }

    /// <summary>What an arm has from the study's grid, such as "loss focal, gamma 2".</summary>
    private static string Settings(JsonNode row) =>
        string.Join(", ", row["settings"]!.AsObject().Select(setting => $"{setting.Key} {setting.Value?.ToString() ?? "none"}"));

    public static void ShowRecommendation(JsonNode recommendation)
    {
        Terminal.WriteLine(recommendation["sentence"]!.GetValue<string>());
        if (recommendation["inShort"]?.GetValue<string>() is { } action)
            Terminal.WriteLine(action);
        foreach (var finding in recommendation["findings"]!.AsArray())
            Terminal.WriteLine(finding!.GetValue<string>());
    }

    private IEnumerable<(string State, int Count)> Counts() =>
        new[] { "queued", "running", "paused", "succeeded", "failed", "cancelled" }
            .Select(name => (name, progress?[name]?.GetValue<int>() ?? 0))
            .Where(count => count.Item2 > 0);

    private static string Mean(JsonNode row, string figure) => Terminal.Figure(row[figure]?["mean"]?.GetValue<double>());
}
