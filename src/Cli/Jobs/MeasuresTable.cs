using System.CommandLine;
using System.Text.Json.Nodes;
using Temper.Cli.Output;

namespace Temper.Cli.Jobs;

/// <summary>The measures of a calibration report that `--measures` asks for.</summary>
internal static class MeasuresTable
{
    private static readonly (string Label, string[] Path)[] Assessed =
    [
        ("l2", ["l2", "value"]),
        ("l2 95 % from", ["l2", "interval", "low"]),
        ("l2 95 % to", ["l2", "interval", "high"]),
        ("corp score", ["corp", "score"]),
        ("corp miscalibration", ["corp", "miscalibration"]),
        ("corp by chance", ["corp", "chance", "limit"]),
        ("corp discrimination", ["corp", "discrimination"]),
        ("corp uncertainty", ["corp", "uncertainty"]),
        ("kernel error", ["kernel", "value"]),
        ("kernel p-value", ["kernel", "pValue"]),
    ];

    public static Option<bool> Option { get; } =
        new("--measures") { Description = "Adds further measures and a comparison of calibrators; takes seconds more." };

    public static string Query(ParseResult parsed) => parsed.GetValue(Option) ? "?measures=true" : "";

    public static void Write(JsonNode measures)
    {
        Terminal.WriteLine("");
        var refinement = measures["refinement"];
        Terminal.WriteLine(
            $"NLL {Figure(refinement, "nll")} = refinement {Figure(refinement, "value")} + calibration {Figure(refinement, "calibration")}"
        );
        Assessments(measures);
        Selective(measures);
        Conformal(measures);
        Calibrators(measures);
        foreach (var (name, why) in measures["missing"]!.AsObject())
            Terminal.WriteLine($"{name}: {why}");
    }

    private static void Assessments(JsonNode measures)
    {
        var table = Terminal.Table("measure", "before", "after").NumbersFrom(1);
        foreach (var (label, path) in Assessed)
            table.Row(label, Figure(measures["before"], path), Figure(measures["after"], path));
        Terminal.Out.Write(table);
    }

    private static void Selective(JsonNode measures)
    {
        var table = Terminal.Table("selective", "aurc", "augrc", "risk at 80 %", "90 %", "95 %").NumbersFrom(1);
        foreach (
            var (label, score) in new[]
            {
                ("max probability", measures["maxProbability"]),
                ("max logit over norm", measures["maxLogitNorm"]?["selective"]),
            }
        )
            if (score is not null)
                table.Row([
                    label,
                    Figure(score, "aurc"),
                    Figure(score, "augrc"),
                    .. score["risks"]!.AsArray().Select(at => Figure(at, "risk")),
                ]);
        Terminal.Out.Write(table);
    }

    private static void Conformal(JsonNode measures)
    {
        if (measures["conformal"] is not { } conformal)
            return;
        var table = Terminal.Table("conformal", "size before", "after", "coverage before", "after").NumbersFrom(1);
        foreach (var method in new[] { "split", "aps", "raps" })
            table.Row(
                method,
                Figure(conformal, "before", method, "meanSize"),
                Figure(conformal, "after", method, "meanSize"),
                Figure(conformal, "before", method, "coverage"),
                Figure(conformal, "after", method, "coverage")
            );
        Terminal.Out.Write(table);
    }

    private static void Calibrators(JsonNode measures)
    {
        if (measures["calibrators"] is not { } calibrators)
            return;
        var table = Terminal.Table("calibrator", "nll", "± error", "above best", "± error").NumbersFrom(1);
        foreach (var score in calibrators["scores"]!.AsArray())
            table.Row(
                Terminal.Plain(score!["name"]),
                Figure(score, "nll"),
                Figure(score, "nllError"),
                Figure(score, "difference"),
                Figure(score, "differenceError")
            );
        Terminal.Out.Write(table);
        Terminal.WriteLine(
            $"The calibrator to use is {calibrators["chosen"]}, judged on {calibrators["images"]} {calibrators["part"]} images."
        );
    }

    private static string Figure(JsonNode? from, params string[] path) =>
        Terminal.Figure(path.Aggregate(from, (node, name) => node?[name])?.GetValue<double>());
}
