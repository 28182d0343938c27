using System.Text.Json.Nodes;
using Temper.Cli.Output;

namespace Temper.Cli.Jobs;

/// <summary>The figures of a model on corrupted test images, with those on the images as they are above them.</summary>
internal static class CorruptionTable
{
    public static void Write(JsonNode answer)
    {
        var table = Terminal
            .Table("images", "strength", "accuracy", "nll", "ece", "signed gap", "nll after T", "ece after T")
            .NumbersFrom(1);
        Add("clean", "", answer["clean"]!);
        foreach (var row in answer["rows"]!.AsArray())
            Add(Terminal.Plain(row!["kind"]), Terminal.Plain(row["strength"]), row["scores"]!);
        foreach (var mean in answer["means"]!.AsArray())
            Add(Terminal.Plain(mean!["kind"]), "mean", mean["scores"]!);
        Add("all", "mean", answer["mean"]!);
        Terminal.Out.Write(table);
        Terminal.WriteLine($"T is {Figure(answer, "temperature")}, fitted on the validation split.");

        void Add(string images, string strength, JsonNode scores) =>
            table.Row(
                images,
                strength,
                Figure(scores, "accuracy"),
                Figure(scores, "nll"),
                Figure(scores, "ece"),
                Figure(scores, "signedGap"),
                Figure(scores, "nllAfterTemperature"),
                Figure(scores, "eceAfterTemperature")
            );
    }

    private static string Figure(JsonNode from, string name) => Terminal.Figure(from[name]?.GetValue<double>());
}
