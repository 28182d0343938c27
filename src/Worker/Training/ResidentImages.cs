using Temper.Worker.Datasets;

namespace Temper.Worker.Training;

/// <summary>Images and labels on the training device for the length of a job, so that a batch is one gather.</summary>
/// <param name="Images">N×C×H×W float32, normalized, laid out channels last.</param>
/// <param name="Labels">N int64.</param>
internal sealed record ResidentImages(Tensor Images, Tensor Labels) : IDisposable
{
    /// <param name="labels">N labels, which may differ from the images' own where noise was added.</param>
    public static ResidentImages Of(Dataset dataset, LabelledImages images, long[] labels, Normalization normalization, Device device)
    {
        using var scope = NewDisposeScope();
        var card = dataset.Card;
        var pixels_NCHW = torch.tensor(images.Pixels, [images.Count, card.Channels, card.Height, card.Width]).to(device).to_type(float32);
        pixels_NCHW.sub_(normalization.Mean).div_(normalization.Deviation);
        return new(
            TorchExtras.ChannelsLast(pixels_NCHW).MoveToOuterDisposeScope(),
            torch.tensor(labels, [labels.Length]).to(device).MoveToOuterDisposeScope());
    }

    public void Dispose()
    {
        Images.Dispose();
        Labels.Dispose();
    }
}

/// <summary>Mean and standard deviation of the training images' pixels, in pixel units.</summary>
internal readonly record struct Normalization(double Mean, double Deviation)
{
    /// <summary>Summed in integers, so it is exact and the same everywhere.</summary>
    public static Normalization Of(LabelledImages images)
    {
        long sum = 0, squares = 0;
        foreach (var pixel in images.Pixels)
        {
            sum += pixel;
            squares += pixel * pixel;
        }
        double n = images.Pixels.Length, mean = sum / n;
        // A set of constant images has no spread to divide by.
        return new(mean, Math.Max(Math.Sqrt(squares / n - mean * mean), 1e-6));
    }
}
