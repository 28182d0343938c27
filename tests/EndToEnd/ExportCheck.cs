using System.Diagnostics;
using System.Globalization;
using System.IO.Compression;
using System.Net.Http.Json;
using System.Runtime.InteropServices;
using Microsoft.ML.OnnxRuntime;

namespace Temper.EndToEnd;

/// <summary>
/// Takes trained models out of the service and compares what they compute elsewhere with what the training stored: in ONNX Runtime,
/// by `predict`, and in PyTorch.
/// </summary>
internal sealed class ExportCheck(ApiProcess api, string home)
{
    private const int Most = 1000,
        Few = 3;

    private readonly List<string> folders = [];

    /// <summary>
    /// Compares the ONNX file on up to 1,000 images of the test set, and on the first of them the file with float32 input and what the
    /// service predicts.
    /// </summary>
    /// <param name="test_NCHW">The images of the test set.</param>
    public async Task CheckAsync(Guid job, byte[] test_NCHW, int channels, int height, int width)
    {
        var folder = Directory.CreateDirectory(Path.Combine(home, $"{job}")).FullName;
        folders.Add(folder);
        var count = Math.Min(Most, test_NCHW.Length / (channels * height * width));
        test_NCHW = test_NCHW[..(count * channels * height * width)];
        await File.WriteAllBytesAsync(Path.Combine(folder, "images"), test_NCHW);
        foreach (
            var (file, path) in new[]
            {
                ("uint8.onnx", "model?format=onnx"),
                ("float32.onnx", "model?format=onnx&input=float32"),
                ("model.safetensors", "model"),
                ("test.npz", "logits?split=test"),
            }
        )
            await File.WriteAllBytesAsync(Path.Combine(folder, file), await api.Http.GetByteArrayAsync($"/jobs/{job}/{path}"));
        var spec = (await api.JobAsync(job))["spec"]!;
        var report = await api.GetAsync($"/jobs/{job}/calibration?resamples=0");
        var temperature = report["temperatureFit"]!["temperature"]!.GetValue<double>();
        var classes = report["classes"]!.GetValue<int>();
        var stored = (await StoredLogitsAsync(Path.Combine(folder, "test.npz")))[..(count * classes)];

        var pixels = ChannelsLast(test_NCHW, channels, height * width);
        long[] shape = [count, height, width, channels];
        using var session = new InferenceSession(Path.Combine(folder, "uint8.onnx"));
        using var outputs = Run(session, pixels, shape, job, spec, temperature, classes);
        AssertEqual(stored, outputs[0].GetTensorDataAsSpan<float>(), 1e-4);
        AssertEqual(Probabilities(stored, classes, 1), outputs[1].GetTensorDataAsSpan<float>(), 1e-4);
        AssertEqual(Probabilities(stored, classes, temperature), outputs[2].GetTensorDataAsSpan<float>(), 1e-4);

        var first = pixels[..(Few * height * width * channels)];
        shape = [Few, .. shape[1..]];
        using var ofNumbers = new InferenceSession(Path.Combine(folder, "float32.onnx"));
        using var same = Run(ofNumbers, Array.ConvertAll(first, pixel => (float)pixel), shape, job, spec, temperature, classes);
        for (var i = 0; i < outputs.Count; i++)
            AssertEqual(outputs[i].GetTensorDataAsSpan<float>()[..(Few * classes)], same[i].GetTensorDataAsSpan<float>(), 1e-5);

        var answer = await api.Http.PostAsJsonAsync($"/jobs/{job}/predict", new { images = Rows(first, channels, height, width) });
        var text = await answer.Content.ReadAsStringAsync();
        Assert.True(answer.IsSuccessStatusCode, text);
        var predicted = JsonNode.Parse(text)!;
        Assert.Equal(temperature, predicted["temperature"]!.GetValue<double>(), 1e-12);
        AssertEqual(
            outputs[2].GetTensorDataAsSpan<float>()[..(Few * classes)],
            predicted["items"]!.AsArray().SelectMany(item => item!["probabilities"]!.AsArray().Select(p => p!.GetValue<float>())).ToArray(),
            1e-6
        );
    }

    /// <summary>
    /// Runs ONNX's checker on every file so far, and compares the logits of the PyTorch code in docs/models.md on the test sets. One
    /// Python does it for all.
    /// </summary>
    public async Task CheckInPythonAsync()
    {
        var script = Path.Combine(TemperProcess.Repository, "tests/EndToEnd/check_export.py");
        using var python = Process.Start(
            new ProcessStartInfo("/usr/bin/python3", [script, Path.Combine(TemperProcess.Repository, "docs/models.md"), .. folders])
            {
                RedirectStandardOutput = true,
                RedirectStandardError = true,
            }
        )!;
        var errors = python.StandardError.ReadToEndAsync();
        var output = await python.StandardOutput.ReadToEndAsync();
        Assert.True(output.Length > 0, await errors);
        var differences = JsonNode.Parse(output)!.AsArray();
        Assert.Equal(folders.Count, differences.Count);
        Assert.All(differences, difference => Assert.InRange(difference!.GetValue<double>(), 0, 1e-4));
    }

    /// <summary>N×C×H×W as N×H×W×C.</summary>
    public static byte[] ChannelsLast(byte[] images_NCHW, int channels, int area)
    {
        var last = new byte[images_NCHW.Length];
        for (var i = 0; i < last.Length; i++)
        {
            var (image, place) = Math.DivRem(i, channels * area);
            last[i] = images_NCHW[image * channels * area + place % channels * area + place / channels];
        }
        return last;
    }

    /// <returns>`logits`, `probabilities` and `calibrated`.</returns>
    private static IDisposableReadOnlyCollection<OrtValue> Run<T>(
        InferenceSession session,
        T[] images_NHWC,
        long[] shape,
        Guid job,
        JsonNode spec,
        double temperature,
        int classes
    )
        where T : unmanaged
    {
        var metadata = session.ModelMetadata.CustomMetadataMap;
        Assert.Equal(($"{job}", $"{spec["dataset"]}", $"{spec["model"]}"), (metadata["job"], metadata["dataset"], metadata["model"]));
        Assert.Equal(temperature, double.Parse(metadata["temperature"], CultureInfo.InvariantCulture), 1e-12);
        Assert.Equal(classes, JsonNode.Parse(metadata["classNames"])!.AsArray().Count);
        var type = typeof(T) == typeof(byte) ? "uint8" : "float32";
        Assert.Equal($"N×{string.Join('×', shape[1..])} {type}, pixels from 0 to 255", metadata["input"]);
        using var images = OrtValue.CreateTensorValueFromMemory(images_NHWC, shape);
        using var run = new RunOptions();
        return session.Run(run, ["images"], [images], ["logits", "probabilities", "calibrated"]);
    }

    /// <summary>Images as JSON for `predict`: rows of pixels, which are numbers or [red, green, blue].</summary>
    private static IEnumerable<object> Rows(byte[] images_NHWC, int channels, int height, int width) =>
        images_NHWC
            .Select(value => (int)value)
            .Chunk(channels)
            .Select(pixel => channels == 1 ? (object)pixel[0] : pixel)
            .Chunk(width)
            .Chunk(height);

    private static float[] Probabilities(float[] logits, int classes, double temperature) =>
        [.. SimulatedLogits.Probabilities(new(logits, new int[logits.Length / classes], classes), temperature).Select(p => (float)p)];

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
