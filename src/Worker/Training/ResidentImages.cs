using Temper.Worker.Datasets;

namespace Temper.Worker.Training;

/// <summary>
/// Images and labels on the training device for the duration of a job, so that a batch is one gather. The device holds pixels
/// as bytes, which take a quarter of the memory of normalized values. Each batch is normalized anew, to the same values.
/// </summary>
internal sealed class ResidentImages : IDisposable
{
    private readonly Tensor pixels_NHWC;
    private readonly Normalization normalization;

    /// <param name="labels">N labels, which differ from the images' own labels where noise was added.</param>
    public ResidentImages(Dataset dataset, LabelledImages images, long[] labels, Normalization normalization, Device device)
    {
        using var scope = NewDisposeScope();
        var card = dataset.Card;
        pixels_NHWC = torch
            .tensor(images.Pixels, [images.Count, card.Channels, card.Height, card.Width])
            .to(device)
            .permute(0, 2, 3, 1)
            .contiguous()
            .DetachFromDisposeScope();
        Labels = torch.tensor(labels, [labels.Length]).to(device).DetachFromDisposeScope();
        this.normalization = normalization;
    }

    /// <summary>N labels as int64.</summary>
    public Tensor Labels { get; }

    /// <summary>Height × width of an image.</summary>
    public long Area => pixels_NHWC.shape[1] * pixels_NHWC.shape[2];

    /// <summary>The value of a black pixel in a batch.</summary>
    public double Black => -normalization.Mean / normalization.Deviation;

    /// <returns>The images at these indices, N×C×H×W: float32, normalized, channels last.</returns>
    public Tensor Batch(Tensor indices_N) => Fused.GatherImages(pixels_NHWC, indices_N, normalization.Mean, normalization.Deviation);

    public void Dispose()
    {
        pixels_NHWC.Dispose();
        Labels.Dispose();
    }
}

/// <summary>Mean and standard deviation of the training images' pixels, in pixel units.</summary>
internal readonly record struct Normalization(double Mean, double Deviation)
{
    /// <summary>Sums integers, so the sums are exact and the same on every machine.</summary>
    public static Normalization Of(Dataset dataset)
    {
        // An own validation part is not for training.
        var trained = dataset.Train.Count - (dataset.Card.ValidationImages ?? 0);
        var pixels = dataset.Train.Pixels.AsSpan(0, trained * dataset.Card.Channels * dataset.Card.Height * dataset.Card.Width);
        long sum = 0,
            squares = 0;
        foreach (var pixel in pixels)
        {
            sum += pixel;
            squares += pixel * pixel;
        }
        double n = pixels.Length,
            mean = sum / n;
        // Constant images have a deviation of 0, by which nothing can be divided.
        return new(mean, Math.Max(Math.Sqrt(squares / n - mean * mean), 1e-6));
    }
}
