namespace Temper.Worker.Training;

/// <summary>
/// Sums over the images that an epoch has trained on. On a GPU the sums stay on the device, because reading one makes the
/// host wait for the step.
/// </summary>
internal sealed class EpochSums : IDisposable
{
    private readonly Tensor? lossOnDevice,
        hitsOnDevice; // null on the CPU
    private double loss;
    private long hits;

    /// <param name="from">The sums of the epoch's earlier steps.</param>
    public EpochSums(Checkpoint from, Device device)
    {
        (loss, hits) = (from.LossSum, from.HitSum);
        if (device.type == DeviceType.CPU)
            return;
        lossOnDevice = torch.tensor([loss], [1]).to(device).DetachFromDisposeScope();
        hitsOnDevice = torch.tensor([hits], [1]).to(device).DetachFromDisposeScope();
    }

    /// <summary>Sum of the training loss.</summary>
    public double Loss => lossOnDevice?.ToDouble() ?? loss;

    /// <summary>Number of images whose largest logit was the label's.</summary>
    public long Hits => hitsOnDevice?.ToInt64() ?? hits;

    /// <param name="meanLoss_">The loss averaged over the batch, a tensor without dimensions.</param>
    public void Add(Tensor meanLoss_, Tensor logits_NK, Tensor labels_N)
    {
        var images = labels_N.shape[0];
        if (lossOnDevice is null || hitsOnDevice is null)
        {
            loss += meanLoss_.ToDouble() * images;
            hits += Fused.CountHits(logits_NK, labels_N);
            return;
        }
        lossOnDevice.add_(meanLoss_.detach() * images);
        hitsOnDevice.add_(logits_NK.detach().argmax(1).eq(labels_N).sum());
    }

    public void Dispose()
    {
        lossOnDevice?.Dispose();
        hitsOnDevice?.Dispose();
    }
}
