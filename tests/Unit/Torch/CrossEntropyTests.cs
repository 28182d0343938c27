using Temper.Domain.Smoothing;
using Temper.Unit.Fixtures;

namespace Temper.Unit.Torch;

[Collection(AloneCollection.Name)]
public class CrossEntropyTests
{
    private sealed record Case(int Classes, int Spread, double Epsilon, int Salt, long[] Labels, double Uniform, double[] UniformGradient, double Others, double[] OthersGradient);

    [Fact]
    public void CrossEntropy_OfBothConventions_MatchesPyTorchOnAGrid()
    {
        var cases = Fixture.Read<Case>("cross_entropy.json");
        Assert.Equal(45, cases.Length);
        foreach (var c in cases)
        {
            var logits = Array.ConvertAll(Fixture.Values(c.Labels.Length * c.Classes, c.Salt), value => (float)(value * 2 * c.Spread));
            AssertClose(c, SmoothingConvention.Uniform, logits, c.Uniform, c.UniformGradient);
            AssertClose(c, SmoothingConvention.Others, logits, c.Others, c.OthersGradient);
        }
    }

    private static void AssertClose(Case c, SmoothingConvention convention, float[] logits, double loss, double[] gradient)
    {
        // The grid's ε may lie beyond the other convention's range.
        if (c.Epsilon > LabelSmoothing.Largest(convention, c.Classes)) return;
        var (actualLoss, actualGradient) = LossOf(logits, c.Labels, c.Classes, LabelSmoothing.Of(convention, c.Epsilon, c.Classes));

        Assert.Equal(loss, actualLoss, 1e-6 * Math.Max(1, loss));
        for (var i = 0; i < gradient.Length; i++) Assert.Equal(gradient[i], actualGradient[i], 1e-6);
    }

    [Theory]
    [InlineData(new[] { 2.0f, 0.5f, 0.3f }, 0, 0.0, 0.34061626981469945, 0.34061626981469945, null)]
    [InlineData(new[] { 2.0f, 0.5f, 0.3f }, 0, 0.2, 0.5539496031480329, 0.6606162698146996, 0.06885551184582125)]
    [InlineData(new[] { 1.0f, 2.0f, 3.0f }, 2, 0.1, 0.5076059644443804, 0.5576059644443805, 0.2164661256124154)]
    public void CrossEntropy_GoldenValues_Match(float[] logits, long label, double epsilon, double uniform, double others, double? kl)
    {
        var smoothing = LabelSmoothing.Of(SmoothingConvention.Uniform, epsilon, logits.Length);
        var loss = LossOf(logits, [label], logits.Length, smoothing).Loss;

        Assert.Equal(uniform, loss, 1e-6);
        Assert.Equal(others, LossOf(logits, [label], logits.Length, LabelSmoothing.Of(SmoothingConvention.Others, epsilon, logits.Length)).Loss, 1e-6);
        if (kl is not null) Assert.Equal(kl.Value, loss - smoothing.TargetEntropy, 1e-6);
    }

    private static (double Loss, float[] Gradient) LossOf(float[] logits, long[] labels, int classes, LabelSmoothing smoothing)
    {
        using var scope = NewDisposeScope();
        var logits_NK = torch.tensor(logits, [labels.Length, classes]).requires_grad_();
        var loss = functional.cross_entropy(logits_NK, torch.tensor(labels, [labels.Length]), label_smoothing: smoothing.EpsilonUniform);
        loss.backward();
        return (loss.ToDouble(), logits_NK.grad!.data<float>().ToArray());
    }
}
