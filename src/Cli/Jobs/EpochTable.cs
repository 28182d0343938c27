using System.Globalization;
using System.Text.Json.Nodes;
using Spectre.Console;
using Temper.Cli.Output;
using Temper.Domain.Jobs;

namespace Temper.Cli.Jobs;

/// <summary>The metrics of epochs as a table; ECE, gap and accuracy are those of the validation split.</summary>
internal static class EpochTable
{
    public static Table Of(IEnumerable<EpochMetrics> epochs)
    {
        var table = Terminal
            .Table("epoch", "train loss", "validation loss", "after T", "accuracy", "ECE", "signed gap", "seconds")
            .NumbersFrom(0);
        foreach (var epoch in epochs)
            table.Row(
                epoch.Epoch.ToString(CultureInfo.InvariantCulture),
                Terminal.Figure(epoch.TrainLoss),
                Terminal.Figure(epoch.ValidationLoss),
                Terminal.Figure(epoch.ValidationLossAfterTemperature),
                Terminal.Figure(epoch.ValidationAccuracy),
                Terminal.Figure(epoch.Ece),
                Terminal.Figure(epoch.SignedGap),
                Terminal.Figure(epoch.Seconds, "0.0")
            );
        return table;
    }

    public static void Write(JsonNode metrics) => Terminal.Out.Write(Of(metrics["items"]!.AsArray().Select(epoch => Read(epoch!))));

    public static EpochMetrics Read(JsonNode epoch) => Domain.Serialization.Json.Read<EpochMetrics>(epoch.ToJsonString());
}
