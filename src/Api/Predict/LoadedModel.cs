using System.Runtime.InteropServices;
using Microsoft.ML.OnnxRuntime;
using Temper.Api.Calibration;
using Temper.Api.Onnx;
using Temper.Domain.Calibration.Calibrators;

namespace Temper.Api.Predict;

/// <summary>A model in memory that computes calibrated probabilities. Several threads may use it at once.</summary>
internal sealed class LoadedModel : IDisposable
{
    /// <summary>
    /// Pixels of the images that the model takes at once. It bounds the memory of the layers between: 64 images of 32×32.
    /// </summary>
    private const int PixelsAtOnce = 64 * 32 * 32;

    private readonly InferenceSession session;
    private readonly RunOptions run = new();

    private LoadedModel(ExportedModel model, InferenceSession session)
    {
        (Temperature, ClassNames, Images, Classes) = (model.Temperature, model.ClassNames, model.Network.Images, model.Network.Classes);
        this.session = session;
    }

    public double Temperature { get; }

    public IReadOnlyList<string>? ClassNames { get; }

    public ImageShape Images { get; }

    public int Classes { get; }

    /// <summary>
    /// About how much memory the model takes when it is loaded, in bytes: ONNX Runtime may keep the weights in two layouts, and the
    /// file from which it read them is freed only later. See bench/records/predict.md.
    /// </summary>
    public static long BytesOf(ExportedModel model) => (4 << 20) + 3 * model.Network.Weights.Values.Sum(weights => (long)weights.Length);

    /// <exception cref="DamagedModelException">A weight is missing, or does not fit the layers beside it.</exception>
    public static async Task<LoadedModel> LoadAsync(ExportedModel model, CancellationToken cancellation)
    {
        var onnx = model.Onnx(PixelType.UInt8);
        var file = new byte[onnx.Length];
        await model.WriteAsync(onnx, new MemoryStream(file), cancellation);
        using var options = new Microsoft.ML.OnnxRuntime.SessionOptions
        {
            // Requests run beside each other, so one needs no second thread. An arena would keep the memory of the largest batch.
            IntraOpNumThreads = 1,
            InterOpNumThreads = 1,
            EnableCpuMemArena = false,
            EnableMemoryPattern = false,
        };
        try
        {
            return new(model, new(file, options));
        }
        catch (OnnxRuntimeException e)
        {
            throw new DamagedModelException($"ONNX Runtime cannot load it: {e.Message}", e);
        }
    }

    /// <param name="calibrator">Temperature scaling with <see cref="Temperature"/> when null.</param>
    /// <returns>The calibrated probabilities, N×K.</returns>
    /// <exception cref="OperationCanceledException">The call was cancelled; it checks between parts of the batch.</exception>
    public float[] Predict(ImageBatch images, Calibrator? calibrator, CancellationToken cancellation)
    {
        var probabilities = new float[images.Count * Classes];
        var most = Math.Max(1, PixelsAtOnce / (Images.Height * Images.Width));
        for (var start = 0; start < images.Count; start += most)
        {
            cancellation.ThrowIfCancellationRequested();
            var count = Math.Min(most, images.Count - start);
            using var pixels = OrtValue.CreateTensorValueFromMemory(
                OrtMemoryInfo.DefaultInstance,
                MemoryMarshal.AsMemory(images.Pixels.Slice(start * Images.Pixels, count * Images.Pixels)),
                [count, Images.Height, Images.Width, Images.Channels]
            );
            using var outputs = session.Run(run, [OnnxFile.Images], [pixels], [calibrator is null ? OnnxFile.Calibrated : OnnxFile.Logits]);
            var computed = outputs[0].GetTensorDataAsSpan<float>();
            if (calibrator is not null)
                computed = Array.ConvertAll(calibrator.Probabilities(computed, Classes), p => (float)p);
            computed.CopyTo(probabilities.AsSpan(start * Classes));
        }
        return probabilities;
    }

    public void Dispose()
    {
        run.Dispose();
        session.Dispose();
    }
}
