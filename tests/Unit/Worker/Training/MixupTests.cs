using Temper.Domain;
using Temper.Domain.Jobs;
using Temper.Unit.Kernels;
using Temper.Worker.Training;

namespace Temper.Unit.Worker.Training;

[Collection(AloneCollection.Name)]
public sealed class MixupTests : KernelTest
{
    private static readonly JobSpec Spec = new()
    {
        Dataset = "digits",
        Epsilon = 0.1,
        Epochs = 1,
        Mixup = 0.4,
    };

    /// <summary>The mean of Beta(α, α) is 1/2 and its variance 1/(4(2α + 1)).</summary>
    [Theory]
    [InlineData(1e-3)] // the smallest that a spec may have
    [InlineData(0.2)]
    [InlineData(1.0)]
    [InlineData(2.0)]
    public void DrawShare_OfManyDraws_HasTheMomentsOfBeta(double alpha)
    {
        var random = new SplitMix64(1, 2);
        var draws = Enumerable.Range(0, 40_000).Select(_ => Mixup.DrawShare(alpha, random)).ToArray();
        var variance = 1 / (4 * (2 * alpha + 1));

        Assert.All(draws, share => Assert.InRange(share, 0, 1));
        Assert.Equal(0.5, draws.Average(), 5 * Math.Sqrt(variance / draws.Length));
        Assert.Equal(variance, draws.Average(share => (share - 0.5) * (share - 0.5)), 5 * 0.25 / Math.Sqrt(draws.Length));
    }

    [Fact]
    public void Draw_OfABatch_MixesEachImageAndItsLossWithThoseOfItsPartner()
    {
        const int images = 8;
        var mixup = Mixup.Draw(Spec, images, epoch: 1, step: 3, torch.CPU)!;
        // Image n is n everywhere, so what it was mixed with can be read off.
        var mixed_NCHW = torch.arange(images, ScalarType.Float32).view(images, 1, 1, 1).expand(images, 1, 2, 2).clone();
        mixup.Mix(mixed_NCHW);
        var mixed = Read(mixed_NCHW).Chunk(4).Select((pixels, n) => (Pixel: Assert.Single(pixels.Distinct()), n)).ToArray();
        var partners = mixed.Select(one => Math.Round((one.Pixel - mixup.Share * one.n) / (1 - mixup.Share), 3)).ToArray();

        Assert.InRange(mixup.Share, 0.5, 1);
        Assert.Equal(Enumerable.Range(0, images).Select(n => (double)n), partners.Order());

        var logits_NK = torch.tensor(Real(images * 10, seed: 1), [images, 10]).requires_grad_();
        var labels_N = torch.arange(images, ScalarType.Int64);
        var partners_N = torch.tensor(Array.ConvertAll(partners, partner => (long)partner), [images]);
        var loss = Spec.TrainingLoss();
        Assert.Equal(
            mixup.Share * LossFunction.Mean(loss, logits_NK, labels_N).ToDouble()
                + (1 - mixup.Share) * LossFunction.Mean(loss, logits_NK, partners_N).ToDouble(),
            mixup.Mean(loss, logits_NK, labels_N).ToDouble(),
            1e-6
        );
        var (own, partner, both) = (
            GradientOf(LossFunction.Mean(loss, logits_NK, labels_N)),
            GradientOf(LossFunction.Mean(loss, logits_NK, partners_N)),
            GradientOf(mixup.Mean(loss, logits_NK, labels_N))
        );
        for (var i = 0; i < both.Length; i++)
            Assert.Equal(mixup.Share * own[i] + (1 - mixup.Share) * partner[i], both[i], 1e-7);

        float[] GradientOf(Tensor mean)
        {
            logits_NK.grad?.zero_();
            Gradients.Compute(mean);
            return Read(logits_NK.grad);
        }
    }

    [Fact]
    public void Draw_OfTheSameStep_IsTheSame_AndOfAnotherIsNot()
    {
        double Share(JobSpec spec, int epoch, int step) => Mixup.Draw(spec, 4, epoch, step, torch.CPU)!.Share;

        Assert.Equal(Share(Spec, 1, 1), Share(Spec, 1, 1));
        Assert.Equal(
            4,
            new[] { Share(Spec, 1, 1), Share(Spec, 1, 2), Share(Spec, 2, 1), Share(Spec with { Seed = 1 }, 1, 1) }.Distinct().Count()
        );
        Assert.Null(Mixup.Draw(Spec with { Mixup = 0 }, 4, 1, 1, torch.CPU));
    }
}
