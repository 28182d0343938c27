using System.CommandLine;
using System.Text.Json.Nodes;
using Temper.Cli.Jobs;
using Temper.Cli.Output;

namespace Temper.Cli.Evaluations;

/// <summary>`temper evaluate`: the calibration report of a model that was trained elsewhere.</summary>
internal static class EvaluateCommand
{
    public static Command Evaluate()
    {
        var file = new Argument<string>("FILE")
        {
            Description =
                "An npz file of NumPy: logits or probabilities (N×K) and labels (N); validation_logits and "
                + "validation_labels for the temperature.",
        };
        var name = new Option<string>("--name") { Description = "A name for the evaluation: 1 to 200 characters." };
        return Common.Command(
            "evaluate",
            "Shows whether a model that was trained elsewhere is calibrated, from its logits.",
            (parsed, service, cancellation) =>
            {
                var query = parsed.GetValue(name) is { } given ? $"?name={Uri.EscapeDataString(given)}" : "";
                return service.PostFileAsync($"evaluations{query}", parsed.GetValue(file)!, cancellation);
            },
            Show,
            file,
            name
        );
    }

    private static void Show(JsonNode answer)
    {
        var (evaluation, report) = (answer["evaluation"]!, answer["report"]!);
        Terminal.WriteLine($"Evaluation {evaluation["id"]}: {evaluation["count"]} images, {evaluation["classes"]} classes.");
        CalibrationTable.Write(report);
        foreach (var note in evaluation["notes"]!.AsArray())
            Terminal.WriteLine($"{note}");
    }
}
