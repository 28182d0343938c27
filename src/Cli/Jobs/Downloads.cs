using System.CommandLine;
using Temper.Cli.Http;
using Temper.Cli.Output;

namespace Temper.Cli.Jobs;

/// <summary>The command `download`: files of jobs and of studies.</summary>
internal static class Downloads
{
    public static Command Download()
    {
        var split = new Option<string>("--split") { Description = "test or validation.", DefaultValueFactory = _ => "test" };
        split.AcceptOnlyFromAmong("test", "validation");
        var format = new Option<string>("--format") { Description = "safetensors or onnx.", DefaultValueFactory = _ => "safetensors" };
        format.AcceptOnlyFromAmong("safetensors", "onnx");
        var input = new Option<string?>("--input") { Description = "With --format onnx: uint8 (the default) or float32 pixels." };
        input.AcceptOnlyFromAmong("uint8", "float32");
        var calibrator = new Option<string?>("--calibrator") { Description = $"With --format onnx: {PredictCommand.CalibratorText}" };
        return new("download", "Downloads a file and prints its path.")
        {
            Of("model", "The model of a job.", "JOB", ModelPath, format, input, calibrator),
            Of("logits", "The logits of a job, as npz.", "JOB", (parsed, id) => $"jobs/{id}/logits?split={parsed.GetValue(split)}", split),
            Of("tensorboard", "The metrics of a job, as an event file of TensorBoard.", "JOB", (_, id) => $"jobs/{id}/tensorboard"),
            Of("report", "The report of a study, as an HTML page.", "STUDY", (_, id) => $"studies/{id}/report"),
        };

        string ModelPath(ParseResult parsed, Guid id) =>
            $"jobs/{id}/model?format={parsed.GetValue(format)}"
            + (parsed.GetValue(input) is { } pixels ? $"&input={pixels}" : "")
            + (parsed.GetValue(calibrator) is { } name ? $"&calibrator={Uri.EscapeDataString(name)}" : "");
    }

    private static Command Of(string name, string description, string what, Func<ParseResult, Guid, string> path, params Symbol[] options)
    {
        var id = Common.Id(what);
        var to = new Option<string?>("--output", "-o") { Description = "File or folder; the name that the service gives when absent." };
        return Common.Command(
            name,
            description,
            async (parsed, service, cancellation) =>
            {
                using var answer = await service.OpenAsync(() => new(HttpMethod.Get, path(parsed, parsed.GetValue(id))), cancellation);
                // Only the last part: a name from elsewhere must not choose the folder.
                var given = Path.GetFileName(answer.Content.Headers.ContentDisposition?.FileName?.Trim('"'));
                var file = Place(parsed.GetValue(to), given is { Length: > 0 } ? given : $"study-{parsed.GetValue(id)}.html");
                await SaveAsync(answer, file, cancellation);
                Terminal.WriteLine(file);
                return ExitCodes.Done;
            },
            [id, to, .. options]
        );
    }

    private static string Place(string? to, string name) =>
        to is null ? name
        : Directory.Exists(to) ? Path.Combine(to, name)
        : to;

    /// <summary>The file appears under its name when it is complete.</summary>
    private static async Task SaveAsync(HttpResponseMessage answer, string file, CancellationToken cancellation)
    {
        var part = $"{file}.part";
        await using var body = await Body.OfAsync(answer, cancellation);
        try
        {
            await using (var stream = File.Create(part))
                await body.CopyToAsync(stream, cancellation);
            File.Move(part, file, overwrite: true);
        }
        finally
        {
            File.Delete(part);
        }
    }
}
