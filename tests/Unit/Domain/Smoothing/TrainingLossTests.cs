using Temper.Domain.Jobs;
using Temper.Domain.Smoothing;

namespace Temper.Unit.Domain.Smoothing;

public class TrainingLossTests
{
    private const int Classes = 10;

    private static readonly JobSpec Spec = new()
    {
        Dataset = "digits",
        Epsilon = 0,
        Epochs = 1,
    };

    public static TheoryData<JobSpec> Losses =>
        [
            Spec with
            {
                Epsilon = 0.1,
            },
            Spec with
            {
                Loss = LossName.Focal,
                Gamma = 0.5,
            },
            Spec with
            {
                Loss = LossName.Focal,
                Gamma = 2,
            },
            Spec with
            {
                Loss = LossName.Focal,
                Gamma = 5,
            },
            Spec with
            {
                Loss = LossName.ConfidencePenalty,
                Beta = 0.1,
            },
            Spec with
            {
                Loss = LossName.ConfidencePenalty,
                Beta = 1,
            },
            Spec with
            {
                Loss = LossName.MarginSmoothing,
                Margin = 2,
                Weight = 0.1,
            },
            Spec with
            {
                Loss = LossName.MarginSmoothing,
                Margin = 6,
                Weight = 0.5,
            },
            Spec with
            {
                Loss = LossName.MarginSmoothing,
                Margin = 0,
                Weight = 0.05,
            },
            Spec with
            {
                Loss = LossName.MaxSuppression,
                Epsilon = 0.2,
            },
            Spec with
            {
                Loss = LossName.MaxSuppression,
                Epsilon = 1,
            },
        ];

    /// <summary>The loss itself, minimized over a grid of logits: an answer that shares nothing with the formulas.</summary>
    [Theory]
    [MemberData(nameof(Losses))]
    public void ExpectedSignedGap_OfEachLoss_IsThatOfTheLeastExpectedLoss(JobSpec spec)
    {
        Assert.Empty(JobSpecRule.BrokenBy(spec));
        var loss = spec.TrainingLoss();
        foreach (var posterior in new[] { 0.999, 0.9, 0.6, 0.3 })
        {
            // The logit of the top class; those of the others are 0.
            var best = Enumerable.Range(0, 200_001).Select(i => i * 1e-4).MinBy(logit => ExpectedLoss(loss, logit, posterior));
            var confidence = 1 / (1 + (Classes - 1) * Math.Exp(-best));

            Assert.Equal(confidence - posterior, loss.ExpectedSignedGap(posterior)!.Value, 1e-4);
        }
    }

    [Fact]
    public void ExpectedSignedGap_OfCertainLabels_IsThatOfTheClosedForms()
    {
        double Gap(JobSpec spec) => spec.TrainingLoss().ExpectedSignedGap(1)!.Value;

        Assert.Equal(-0.09, Gap(Spec with { Epsilon = 0.1 }), 1e-12);
        Assert.Equal(-0.09, Gap(Spec with { Loss = LossName.MaxSuppression, Epsilon = 0.1 }), 1e-12);
        Assert.Equal(1 / (1 + 9 * Math.Exp(-6)) - 1, Gap(Spec with { Loss = LossName.MarginSmoothing, Margin = 6, Weight = 0.5 }), 1e-12);
        Assert.Equal(-0.009, Gap(Spec with { Loss = LossName.MarginSmoothing, Margin = 0, Weight = 0.01 }), 1e-12);
        Assert.Equal(0, Gap(Spec with { Loss = LossName.Focal, Gamma = 3 }), 1e-9);
        // ln(c·(K − 1)/(1 − c)) = 1/(β·c)
        var c = 1 + Gap(Spec with { Loss = LossName.ConfidencePenalty, Beta = 0.5 });
        Assert.Equal(1 / (0.5 * c), Math.Log(c * 9 / (1 - c)), 1e-9);
    }

    [Fact]
    public void ExpectedSignedGap_OfLabelNoise_IsThatOfTheNoisyPosteriorOnCleanLabels()
    {
        var focal = (Spec with { Loss = LossName.Focal, Gamma = 2 }).TrainingLoss();
        // With a share of 0.3 replaced, the label of a certain image is the true one in 0.7 of cases.
        var onNoisy = focal.ExpectedSignedGap(0.7)!.Value;

        Assert.Equal(0.7 + onNoisy - 1, focal.ExpectedSignedGap(1, labelNoise: 0.3)!.Value, 1e-12);
    }

    [Fact]
    public void ExpectedSignedGap_WithoutAClosedForm_IsNull()
    {
        Assert.Null((Spec with { Epsilon = 0.1, Mixup = 0.2 }).TrainingLoss().ExpectedSignedGap(0.9));
        Assert.Null((Spec with { Loss = LossName.Focal, GammaSchedule = GammaScheduleName.Flsd53 }).TrainingLoss().ExpectedSignedGap(0.9));
    }

    [Theory]
    [MemberData(nameof(Losses))]
    public void InWords_OfEachLoss_HasItsSettings(JobSpec spec)
    {
        var words = spec.TrainingLoss().InWords();

        foreach (var setting in new[] { spec.Gamma, spec.Beta, spec.Margin, spec.Weight, spec.Epsilon == 0 ? null : spec.Epsilon })
            if (setting is { } value)
                Assert.Contains(FormattableString.Invariant($"{value}"), words);
    }

    [Fact]
    public void InWords_OfASmallSetting_IsNotRounded() =>
        Assert.Equal(
            "confidencePenalty with β = 0.0004 and mixup with α = 0.0001",
            (Spec with { Loss = LossName.ConfidencePenalty, Beta = 0.0004, Mixup = 0.0001 }).TrainingLoss().InWords()
        );

    private static double ExpectedLoss(TrainingLoss loss, double logit, double posterior)
    {
        double sum = Math.Exp(logit) + Classes - 1,
            top = Math.Exp(logit) / sum,
            other = 1 / sum;
        double crossEntropy = -posterior * Math.Log(top) - (1 - posterior) * Math.Log(other),
            entropy = -top * Math.Log(top) - (Classes - 1) * other * Math.Log(other),
            mean = logit / Classes;
        double Focal(double p) => -Math.Pow(1 - p, loss.Gamma) * Math.Log(p);
        return loss.Name switch
        {
            LossName.CrossEntropy => (1 - loss.Epsilon) * crossEntropy
                - loss.Epsilon / Classes * (Math.Log(top) + (Classes - 1) * Math.Log(other)),
            LossName.Focal => posterior * Focal(top) + (1 - posterior) * Focal(other),
            LossName.ConfidencePenalty => crossEntropy - loss.Beta * entropy,
            LossName.MarginSmoothing => crossEntropy + loss.Weight * (Classes - 1) / Classes * Math.Max(0, logit - loss.Margin),
            _ => crossEntropy + loss.Epsilon * (logit - mean),
        };
    }
}
