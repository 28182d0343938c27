using System.Security.Cryptography;
using Microsoft.ML.OnnxRuntime;
using Temper.Api.Onnx;
using Temper.Domain.Calibration;
using Temper.Domain.Calibration.Calibrators;
using Temper.Domain.Serialization;
using Temper.Harness;

namespace Temper.Unit.Api.Onnx;

public class OnnxFileTests
{
    private const int Side = 8,
        Classes = 10,
        Images = 1500,
        Fitted = 1000;

    private const double Temperature = 2.5;

    private static readonly byte[] Weights = ModelFile.Mlp(1, Side);

    /// <summary>The hashes are of files that were written before there was a choice of calibrators.</summary>
    [Theory]
    [InlineData("uint8", "374aaadcd0f9622d282f4702f981294131ab678be")]
    [InlineData("float32", "1951b6455cd478264e44855017711285230f1aa5c")]
    public async Task File_WithTemperatureScaling_KeepsItsBytes(string pixels, string hash)
    {
        var network = await NetworkAsync();
        var type = Enum.Parse<PixelType>(pixels, ignoreCase: true);

        Assert.StartsWith(hash, Convert.ToHexStringLower(SHA256.HashData(await FileAsync(network, null, type))));
        Assert.StartsWith(
            hash,
            Convert.ToHexStringLower(SHA256.HashData(await FileAsync(network, new TemperatureScaling(Temperature), type)))
        );
    }

    public static TheoryData<CalibratorName, float> Cases
    {
        get
        {
            var cases = new TheoryData<CalibratorName, float>();
            foreach (var name in Enum.GetValues<CalibratorName>())
            foreach (var deviation in new[] { 50f, 2f }) // with 2 nearly every prediction has the confidence 1
                cases.Add(name, deviation);
            return cases;
        }
    }

    [Theory, MemberData(nameof(Cases))]
    public async Task File_WithACalibrator_ComputesItsProbabilitiesAndNamesIt(CalibratorName name, float deviation)
    {
        var network = await NetworkAsync() with { Deviation = deviation };
        var random = new Random(1);
        var pixels = new byte[Images * Side * Side];
        random.NextBytes(pixels);
        var (logits, _, _) = Run(await FileAsync(network, null), pixels);
        var calibrator = CalibratorComparison.Fit(name, Labelled(logits[..(Fitted * Classes)], random));

        var (same, calibrated, metadata) = Run(await FileAsync(network, calibrator), pixels);

        Assert.Equal(logits, same);
        var expected = calibrator.Probabilities(logits, Classes);
        // Images of the fit lie at the very edges of histogram bins.
        Assert.InRange(calibrated.Zip(expected, (got, wanted) => Math.Abs(got - wanted)).Max(), 0, 1e-5);
        Assert.Equal(name == CalibratorName.Temperature ? null : Json.Name(name), metadata.GetValueOrDefault("calibrator"));
    }

    /// <summary>Labels that are drawn from the softmax of half the logits, with the classes 0 and 1 exchanged in a third of them.</summary>
    private static LabelledLogits Labelled(float[] logits, Random random)
    {
        var probabilities = new TemperatureScaling(2).Probabilities(logits, Classes);
        var labels = new int[logits.Length / Classes];
        for (var i = 0; i < labels.Length; i++)
        {
            var u = random.NextDouble();
            while (labels[i] < Classes - 1 && (u -= probabilities[i * Classes + labels[i]]) >= 0)
                labels[i]++;
            if (labels[i] < 2 && i % 3 == 0)
                labels[i] = 1 - labels[i];
        }
        return new(logits, labels, Classes);
    }

    private static Task<TrainedNetwork> NetworkAsync() => TrainedNetwork.ReadAsync(new MemoryStream(Weights), default);

    private static async Task<byte[]> FileAsync(TrainedNetwork network, Calibrator? calibrator, PixelType pixels = PixelType.UInt8)
    {
        var file = new OnnxFile(network, Guid.Empty, Temperature, ["a", "b"], pixels, calibrator);
        var written = new MemoryStream();
        await file.WriteAsync(written, new MemoryStream(Weights), default);
        Assert.Equal(file.Length, written.Length);
        return written.ToArray();
    }

    private static (float[] Logits, float[] Calibrated, Dictionary<string, string> Metadata) Run(byte[] file, byte[] pixels)
    {
        using var session = new InferenceSession(file);
        using var images = OrtValue.CreateTensorValueFromMemory(pixels, [Images, Side, Side, 1]);
        using var run = new RunOptions();
        using var outputs = session.Run(run, [OnnxFile.Images], [images], [OnnxFile.Logits, OnnxFile.Calibrated]);
        return (
            outputs[0].GetTensorDataAsSpan<float>().ToArray(),
            outputs[1].GetTensorDataAsSpan<float>().ToArray(),
            session.ModelMetadata.CustomMetadataMap
        );
    }
}
