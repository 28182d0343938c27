using System.CommandLine;
using System.Text.Json.Nodes;
using Temper.Cli.Jobs;
using Temper.Cli.Output;

namespace Temper.Cli.Evaluations;

/// <summary>The commands of evaluations: calibration reports of models that were trained elsewhere.</summary>
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

    /// <summary>`temper evaluations`: those that the service keeps.</summary>
    public static Command Evaluations()
    {
        var id = Common.Id("EVALUATION");
        var cursor = new Option<string?>("--cursor") { Description = "The cursor that the last list ended with." };
        var evaluations = Common.Command(
            "evaluations",
            "Lists evaluations, newest first.",
            (parsed, service, cancellation) =>
                service.GetAsync(
                    parsed.GetValue(cursor) is { } from ? $"evaluations?cursor={Uri.EscapeDataString(from)}" : "evaluations",
                    cancellation
                ),
            ShowPage,
            cursor
        );
        evaluations.Add(
            Common.Command(
                "report",
                "Shows whether an evaluated model is calibrated, before and after temperature scaling.",
                (parsed, service, cancellation) =>
                    service.GetAsync($"evaluations/{parsed.GetValue(id)}/calibration{MeasuresTable.Query(parsed)}", cancellation),
                CalibrationTable.Write,
                id,
                MeasuresTable.Option
            )
        );
        evaluations.Add(Common.Delete("Deletes an evaluation.", "evaluations", id));
        return evaluations;
    }

    private static void ShowPage(JsonNode page)
    {
        var table = Terminal.Table("id", "verdict", "images", "accuracy", "ECE", "submitted", "name");
        foreach (var one in page["items"]!.AsArray())
            table.Row(
                Terminal.Plain(one!["id"]),
                Terminal.Plain(one["scores"]!["verdict"]),
                Terminal.Plain(one["count"]),
                Terminal.Figure(one["scores"]!["accuracy"]?.GetValue<double>()),
                Terminal.Figure(one["scores"]!["ece"]?.GetValue<double>()),
                Terminal.Time(one["createdAt"]),
                one["name"]?.GetValue<string>()
            );
        Terminal.Out.Write(table);
        if (page["next"] is { } next)
            Terminal.Note($"There are more: --cursor {next}");
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
