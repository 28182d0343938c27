using System.CommandLine;
using System.Globalization;
using System.Net.Http.Headers;
using System.Text.Json.Nodes;
using Temper.Cli.Http;
using Temper.Cli.Output;

namespace Temper.Cli.Jobs;

/// <summary>The command `predict`.</summary>
internal static class PredictCommand
{
    /// <summary>What the option `--calibrator` may be. The service knows which of them a job allows.</summary>
    public const string CalibratorText =
        "temperature (the default), none, biasCorrectedTemperature, vector, structuredMatrix, histogram, isotonic, or chosen: the one "
        + "that `report --measures` advises.";

    private const string Npz = ".npz";

    public static Command Predict()
    {
        var job = Common.Id("JOB");
        var files = new Argument<string[]>("FILE")
        {
            Description = "PNG or JPEG files, or one npz file with images.",
            Arity = ArgumentArity.OneOrMore,
        };
        var calibrator = new Option<string?>("--calibrator") { Description = CalibratorText };
        return Common.Command(
            "predict",
            "Shows what a job's model says about images, with calibrated probabilities.",
            async (parsed, service, cancellation) =>
            {
                var given = parsed.GetValue(files)!; // at least one
                var answer = await service.PostContentAsync(
                    $"jobs/{parsed.GetValue(job)}/predict"
                        + (parsed.GetValue(calibrator) is { } name ? $"?calibrator={Uri.EscapeDataString(name)}" : ""),
                    IsNpz(given[0]) && given.Length == 1 ? await NpzAsync(given[0], cancellation) : await ImagesAsync(given, cancellation),
                    cancellation
                );
                if (parsed.GetValue(Common.Json))
                    Terminal.WriteJson(answer);
                else
                    Show(answer, IsNpz(given[0]) ? [] : given);
                return ExitCodes.Done;
            },
            job,
            files,
            calibrator
        );
    }

    private static bool IsNpz(string file) => file.EndsWith(Npz, StringComparison.OrdinalIgnoreCase);

    /// <returns>Makes the body anew for each try.</returns>
    private static async Task<Func<HttpContent>> NpzAsync(string file, CancellationToken cancellation)
    {
        var bytes = await File.ReadAllBytesAsync(file, cancellation);
        return () => Part(bytes, "application/octet-stream");
    }

    /// <inheritdoc cref="NpzAsync"/>
    private static async Task<Func<HttpContent>> ImagesAsync(string[] files, CancellationToken cancellation)
    {
        if (files.FirstOrDefault(IsNpz) is { } npz)
            throw new UsageException($"{npz} must be the only file: an npz file holds all its images.");
        var bytes = new List<byte[]>();
        foreach (var file in files)
            bytes.Add(await File.ReadAllBytesAsync(file, cancellation));
        return () =>
        {
            var form = new MultipartFormDataContent();
            for (var i = 0; i < files.Length; i++)
                form.Add(Part(bytes[i], "application/octet-stream"), "files", FormattableString.Invariant($"{i}"));
            return form;
        };
    }

    private static ByteArrayContent Part(byte[] bytes, string type)
    {
        var part = new ByteArrayContent(bytes);
        part.Headers.ContentType = new MediaTypeHeaderValue(type);
        return part;
    }

    private static void Show(JsonNode answer, string[] files)
    {
        var table = Terminal.Table("image", "label", "class", "confidence").NumbersFrom(3);
        var items = answer["items"]!.AsArray();
        for (var i = 0; i < items.Count; i++)
            table.Row(
                files.Length > 0 ? Path.GetFileName(files[i]) : i.ToString(CultureInfo.InvariantCulture),
                Terminal.Plain(items[i]!["label"]),
                Terminal.Plain(items[i]!["className"]),
                Terminal.Figure(items[i]!["confidence"]!.GetValue<double>())
            );
        Terminal.Out.Write(table);
        var calibrator = $"{answer["calibrator"]}";
        Terminal.Note(
            calibrator switch
            {
                "none" => "The probabilities are of the model as trained.",
                "temperature" =>
                    $"T = {Terminal.Figure(answer["temperature"]!.GetValue<double>())}, fitted on the job's validation images.",
                _ => $"The calibrator is {calibrator}, fitted on the job's validation images.",
            }
        );
    }
}
