using Temper.Worker.Datasets;

namespace Temper.Worker.Training;

/// <summary>
/// Images and labels on the training device for the length of a job, so that a batch is one gather. They lie there as bytes,
/// a quarter of what their normalized values would take; each batch is normalized anew, to the same values.
/// </summary>
internal sealed class ResidentImages : IDisposable
{
    private readonly Tensor pixels_NHWC;
    private readonly Normalization normalization;

    /// <param name="labels">N labels, which may differ from the images' own where noise was added.</param>
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

    /// <summary>N int64.</summary>
    public Tensor Labels { get; }

    /// <summary>What a black pixel is in a batch.</summary>
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
    /// <summary>Summed in integers, so it is exact and the same everywhere.</summary>
    public static Normalization Of(LabelledImages images)
    {
        long sum = 0,
            squares = 0;
        foreach (var pixel in images.Pixels)
        {
            sum += pixel;
            squares += pixel * pixel;
        }
        double n = images.Pixels.Length,
            mean = sum / n;
        // A set of constant images has no spread to divide by.
        return new(mean, Math.Max(Math.Sqrt(squares / n - mean * mean), 1e-6));
    }
}
