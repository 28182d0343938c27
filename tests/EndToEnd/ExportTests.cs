using System.Diagnostics;
using System.IO.Compression;
using System.Net.Http.Json;
using System.Runtime.InteropServices;
using Microsoft.ML.OnnxRuntime;
using Temper.Domain.Calibration;
using Temper.Worker.Datasets.Digits;

namespace Temper.EndToEnd;

/// <summary>Takes trained models out of the service and compares what they compute elsewhere with what the training stored.</summary>
public class ExportTests : EndToEndTest
{
    private const int Classes = 10,
        Side = 28;

    private static readonly string[] Models = ["cnn", "lenet5", "mlp", "resnet20", "resnet56"];

    [Fact]
    public async Task EveryModel_InOnnxRuntimeInPyTorchAndByPredict_GivesTheLogitsOfItsTraining()
    {
        await StartWorkerAsync(null, ("Worker__Threads", $"{Environment.ProcessorCount}"));
        var jobs = new List<Guid>();
        foreach (var model in Models)
            jobs.Add(await Api.SubmitAsync(Spec(model)));
        foreach (var job in jobs)
            Assert.Equal("succeeded", State(await Api.FinishedJobAsync(job, TimeSpan.FromMinutes(3))));
        var pixels = DigitsDataset.Draw().Test.Pixels;

        var folders = new List<string>();
        foreach (var job in jobs)
            folders.Add(await CheckAsync(job, pixels));

        // ONNX's checker and PyTorch, in one Python.
        var images = Path.Combine(Home, "images");
        await File.WriteAllBytesAsync(images, pixels);
        var script = Path.Combine(TemperProcess.Repository, "tests/EndToEnd/check_export.py");
        using var python = Process.Start(
            new ProcessStartInfo("/usr/bin/python3", [script, Path.Combine(TemperProcess.Repository, "docs/models.md"), images, .. folders])
            {
                RedirectStandardOutput = true,
                RedirectStandardError = true,
            }
        )!;
        var errors = python.StandardError.ReadToEndAsync();
        var output = await python.StandardOutput.ReadToEndAsync();
        Assert.True(output.Length > 0, await errors);
        Assert.All(JsonNode.Parse(output)!.AsArray(), difference => Assert.InRange(difference!.GetValue<double>(), 0, 1e-4));
    }

    private static object Spec(string model) =>
        model.StartsWith("resnet", StringComparison.Ordinal)
            ? new
            {
                dataset = "digits",
                epsilon = 0.1,
                epochs = 1,
                model,
                width = 8,
                validationFraction = 0.5,
            }
            : new
            {
                dataset = "digits",
                epsilon = 0.1,
                epochs = 2,
                model,
            };

    /// <summary>Compares the ONNX file on the whole test set, and what the service predicts on its first images.</summary>
    /// <returns>The folder with the job's files.</returns>
    private async Task<string> CheckAsync(Guid job, byte[] pixels)
    {
        var folder = Directory.CreateDirectory(Path.Combine(Home, $"{job}")).FullName;
        foreach (
            var (file, path) in new[]
            {
                ("model.onnx", "model?format=onnx"),
                ("model.safetensors", "model"),
                ("test.npz", "logits?split=test"),
            }
        )
            await File.WriteAllBytesAsync(Path.Combine(folder, file), await Api.Http.GetByteArrayAsync($"/jobs/{job}/{path}"));
        var stored = await StoredLogitsAsync(Path.Combine(folder, "test.npz"));
        var report = await Api.GetAsync($"/jobs/{job}/calibration?resamples=0");
        var temperature = report["temperatureFit"]!["temperature"]!.GetValue<double>();

        using var session = new InferenceSession(Path.Combine(folder, "model.onnx"));
        var metadata = session.ModelMetadata.CustomMetadataMap;
        Assert.Equal(($"{job}", "digits"), (metadata["job"], metadata["dataset"]));
        Assert.Equal(temperature, double.Parse(metadata["temperature"], System.Globalization.CultureInfo.InvariantCulture), 1e-12);
        Assert.Equal(Classes, JsonNode.Parse(metadata["classNames"])!.AsArray().Count);

        var count = pixels.Length / (Side * Side);
        using var images = OrtValue.CreateTensorValueFromMemory(pixels, [count, Side, Side, 1]);
        using var run = new RunOptions();
        using var outputs = session.Run(run, ["images"], [images], ["logits", "probabilities", "calibrated"]);
        AssertEqual(stored, outputs[0].GetTensorDataAsSpan<float>(), 1e-4);
        var labels = new int[count];
        AssertEqual(Probabilities(stored, labels, 1), outputs[1].GetTensorDataAsSpan<float>(), 1e-4);
        AssertEqual(Probabilities(stored, labels, temperature), outputs[2].GetTensorDataAsSpan<float>(), 1e-4);

        var rows = Enumerable.Range(0, 3).Select(i => Image(pixels, i)).ToArray();
        var answer = await Api.Http.PostAsJsonAsync($"/jobs/{job}/predict", new { images = rows });
        var text = await answer.Content.ReadAsStringAsync();
        Assert.True(answer.IsSuccessStatusCode, text);
        var predicted = JsonNode.Parse(text)!;
        Assert.Equal(temperature, predicted["temperature"]!.GetValue<double>(), 1e-12);
        AssertEqual(
            outputs[2].GetTensorDataAsSpan<float>()[..(3 * Classes)].ToArray(),
            predicted["items"]!.AsArray().SelectMany(item => item!["probabilities"]!.AsArray().Select(p => p!.GetValue<float>())).ToArray(),
            1e-6
        );
        return folder;
    }

    private static int[][] Image(byte[] pixels, int i) =>
        [.. pixels.Skip(i * Side * Side).Take(Side * Side).Select(pixel => (int)pixel).Chunk(Side)];

    private static float[] Probabilities(float[] logits, int[] labels, double temperature) =>
        [.. SimulatedLogits.Probabilities(new(logits, labels, Classes), temperature).Select(p => (float)p)];

    private static void AssertEqual(ReadOnlySpan<float> expected, ReadOnlySpan<float> computed, double within)
    {
        Assert.Equal(expected.Length, computed.Length);
        var largest = 0.0;
        for (var i = 0; i < expected.Length; i++)
            largest = Math.Max(largest, Math.Abs(expected[i] - computed[i]));
        Assert.InRange(largest, 0, within);
    }

    private static async Task<float[]> StoredLogitsAsync(string npz)
    {
        const int LengthAt = 8,
            Prefix = 10;
        await using var zip = await ZipFile.OpenReadAsync(npz);
        var npy = new MemoryStream();
        await using (var entry = await zip.GetEntry("logits.npy")!.OpenAsync())
            await entry.CopyToAsync(npy);
        var bytes = npy.ToArray();
        return MemoryMarshal.Cast<byte, float>(bytes.AsSpan(Prefix + BitConverter.ToUInt16(bytes, LengthAt))).ToArray();
    }
}
