using Temper.Domain;
using Temper.Domain.Jobs;
using Temper.Domain.Smoothing;

namespace Temper.Worker.Training;

/// <summary>
/// Mixes a batch with itself in another order: Zhang et al. 2018, arXiv:1710.09412. Seed, epoch and step determine the order and the
/// share, so a resumed run draws the same ones.
/// </summary>
internal sealed class Mixup
{
    private const ulong Stream = 3UL << 40;

    private readonly Tensor partners_N;

    private Mixup(double share, Tensor partners_N) => (Share, this.partners_N) = (share, partners_N);

    /// <summary>
    /// The share of an image itself, 0.5 to 1. A draw λ below 0.5 becomes 1 − λ: an image and its partner are equally likely to be in
    /// either place. So the label of the image itself is the one that an accuracy can be counted by.
    /// </summary>
    public double Share { get; }

    /// <param name="images">N, the number of images of the batch.</param>
    /// <returns>Null without mixup.</returns>
    public static Mixup? Draw(JobSpec spec, int images, int epoch, int step, Device device)
    {
        if (spec.Mixup == 0)
            return null;
        var random = new SplitMix64(spec.Seed, Stream + ((ulong)epoch << 24) + (ulong)step);
        var share = DrawShare(spec.Mixup, random);
        long[] partners = [.. Enumerable.Range(0, images)];
        random.Shuffle(partners.AsSpan());
        return new(Math.Max(share, 1 - share), torch.tensor(partners, [images]).to(device));
    }

    /// <summary>Mixes in place, so that the images keep their layout.</summary>
    public void Mix(Tensor images_NCHW) => images_NCHW.lerp_(images_NCHW.index_select(0, partners_N), 1 - Share);

    /// <returns>Share · the mean loss against each image's label + (1 − share) · that against its partner's.</returns>
    public Tensor Mean(TrainingLoss loss, Tensor logits_NK, Tensor labels_N) =>
        Share * LossFunction.Mean(loss, logits_NK, labels_N)
        + (1 - Share) * LossFunction.Mean(loss, logits_NK, labels_N.index_select(0, partners_N));

    /// <summary>
    /// Beta(α, α) by Jöhnk 1964: x/(x + y) with x = u^(1/α), y = v^(1/α), given x + y ≤ 1. It works with logarithms, because for a
    /// small α both powers would be 0. At α = 2 it accepts one draw in six.
    /// </summary>
    internal static double DrawShare(double alpha, SplitMix64 random)
    {
        while (true)
        {
            double x = Math.Log(1 - random.NextDouble()) / alpha,
                y = Math.Log(1 - random.NextDouble()) / alpha;
            var larger = Math.Max(x, y);
            if (larger + Math.Log(Math.Exp(x - larger) + Math.Exp(y - larger)) <= 0)
                return 1 / (1 + Math.Exp(y - x));
        }
    }
}
