using Temper.Domain.Calibration;

namespace Temper.Worker.Training;

internal static class Evaluator
{
    /// <summary>Images per batch: enough to use the whole device, few enough that a deep model stops soon.</summary>
    public const int BatchSize = 250;

    /// <summary>Pixels of a batch, without channels. Larger images than 64×64 have smaller batches, for the memory.</summary>
    private const long LargestBatch = BatchSize * 64 * 64;

    /// <summary>Runs the model over the images at <paramref name="indices"/>, without an autograd graph.</summary>
    /// <param name="afterBatch">Called after each batch.</param>
    /// <returns>Logits, N×K row-major.</returns>
    public static float[] Logits(
        Module<Tensor, Tensor> model,
        ResidentImages images,
        long[] indices,
        int classes,
        Action afterBatch,
        CancellationToken stop
    )
    {
        var logits = new float[indices.Length * classes];
        using var noGraph = no_grad();
        model.eval();
        var size = SizeOfBatch(images.Area);
        for (var start = 0; start < indices.Length; start += size)
        {
            stop.ThrowIfCancellationRequested();
            using var scope = NewDisposeScope();
            var batch = indices[start..Math.Min(start + size, indices.Length)];
            var images_NCHW = images.Batch(torch.tensor(batch, [batch.Length]).to(images.Labels.device));
            model.call(images_NCHW).cpu().data<float>().ToArray().CopyTo(logits, start * classes);
            afterBatch();
        }
        model.train();
        return logits;
    }

    /// <param name="area">Height × width of an image.</param>
    /// <returns>Images per batch for images of this size.</returns>
    public static int SizeOfBatch(long area) => (int)Math.Clamp(LargestBatch / area, 1, BatchSize);

    /// <exception cref="TrainingDivergedException">A logit is not finite.</exception>
    public static LabelledLogits Label(float[] logits, int[] labels, int classes, int epoch) =>
        logits.All(float.IsFinite) ? new(logits, labels, classes) : throw new TrainingDivergedException(epoch);
}
