namespace Temper.Worker.Training;

/// <summary>
/// Sums over the images that an epoch has trained on. On a GPU they stay there, because reading one makes the host wait
/// for the step.
/// </summary>
internal sealed class EpochSums : IDisposable
{
    private readonly Tensor? lossOnDevice,
        hitsOnDevice; // null on the CPU
    private double loss;
    private long hits;

    /// <param name="from">What the epoch's earlier steps have come to.</param>
    public EpochSums(Checkpoint from, Device device)
    {
        (loss, hits) = (from.LossSum, from.HitSum);
        if (device.type == DeviceType.CPU)
            return;
        lossOnDevice = torch.tensor([loss], [1]).to(device).DetachFromDisposeScope();
        hitsOnDevice = torch.tensor([hits], [1]).to(device).DetachFromDisposeScope();
    }

    /// <summary>Σ of the smoothed loss.</summary>
    public double Loss => lossOnDevice?.ToDouble() ?? loss;

    /// <summary>How often the largest logit was the label's.</summary>
    public long Hits => hitsOnDevice?.ToInt64() ?? hits;

    /// <param name="meanLoss_">Averaged over the batch; no dimensions.</param>
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
