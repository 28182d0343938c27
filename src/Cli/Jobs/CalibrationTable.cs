using System.Text.Json.Nodes;
using Temper.Cli.Output;

namespace Temper.Cli.Jobs;

/// <summary>The main figures of a calibration report, before and after temperature scaling.</summary>
internal static class CalibrationTable
{
    private static readonly string[] Figures =
    [
        "accuracy",
        "nll",
        "brier",
        "signedGap",
        "aurc",
        "ece",
        "mce",
        "adaptiveEce",
        "classwiseEce",
        "l2",
        "smoothEce",
    ];

    public static void Write(JsonNode report)
    {
        var (before, after) = (report["before"]!, report["after"]!);
        var table = Terminal.Table("", "before", "after").NumbersFrom(1);
        foreach (var figure in Figures)
            table.Row(figure, Value(before[figure]), Value(after[figure]));
        table.Row("temperature", "1", Terminal.Figure(after["temperature"]?.GetValue<double>()));
        Terminal.Out.Write(table);
        Terminal.WriteLine($"before: {before["verdict"]?["sentence"]}");
        Terminal.WriteLine($"after: {after["verdict"]?["sentence"]}");
        if (report["measures"] is { } measures)
            MeasuresTable.Write(measures);
    }

    private static string Value(JsonNode? figure) => Terminal.Figure(figure?["value"]?.GetValue<double>());
}
