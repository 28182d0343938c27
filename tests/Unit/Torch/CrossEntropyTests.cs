using Temper.Domain.Smoothing;
using Temper.Unit.Fixtures;

namespace Temper.Unit.Torch;

[Collection(AloneCollection.Name)]
public sealed class CrossEntropyTests : IDisposable
{
    private readonly int threads = torch.get_num_threads();

    private sealed record Case(int Classes, int Spread, double Epsilon, int Salt, long[] Labels, double Uniform, double[] UniformGradient, double Others, double[] OthersGradient);

    public void Dispose() => torch.set_num_threads(threads);

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

    [Theory]
    [InlineData(1, 2, 0.0, 1)]
    [InlineData(7, 10, 0.1, 1)]
    [InlineData(128, 10, 0.3, 2)]
    [InlineData(1001, 100, 0.1, 1)] // enough to be shared among threads
    [InlineData(1001, 100, 0.1, 2)]
    [InlineData(33, 3, 1.0, 2)]
    public void CrossEntropy_InOnePass_IsThatOfLibtorchsOperations(int rows, int classes, double epsilon, int count)
    {
        using var scope = NewDisposeScope();
        torch.set_num_threads(count);
        var values = Array.ConvertAll(Fixture.Values(rows * classes, rows), value => (float)(20 * value));
        var labels_N = torch.tensor(Enumerable.Range(0, rows).Select(row => (long)(7 * row % classes)).ToArray(), [rows]);

        var (loss, gradient) = Both(null);
        Assert.Equal(gradient, Both(null).Gradient); // to the bit, on as many threads
        var (expected, expectedGradient) = Both(torch.tensor(Enumerable.Repeat(1f, classes).ToArray(), [classes])); // with weights libtorch does it

        Assert.Equal(expected, loss, 2e-6 * Math.Max(1, expected));
        for (var i = 0; i < gradient.Length; i++) Assert.Equal(expectedGradient[i], gradient[i], 1e-6 / rows + 2e-6f * Math.Abs(expectedGradient[i]));

        (double Loss, float[] Gradient) Both(Tensor? weight)
        {
            var logits_NK = torch.tensor(values, [rows, classes]).requires_grad_();
            var mean = functional.cross_entropy(logits_NK, labels_N, weight, label_smoothing: epsilon);
            using (torch.no_grad()) Assert.Equal(mean.ToDouble(), functional.cross_entropy(logits_NK, labels_N, weight, label_smoothing: epsilon).ToDouble(), 1e-6);
            (mean * 3).backward();
            return (mean.ToDouble(), logits_NK.grad!.data<float>().ToArray());
        }
    }

    [Fact]
    public void CrossEntropy_OfNotANumber_IsNoneEither()
    {
        Assert.True(double.IsNaN(LossOf([1, float.NaN, 2, 1, 2, 3], [0, 2], 3, LabelSmoothing.Of(SmoothingConvention.Uniform, 0.1, 3)).Loss));
        Assert.True(double.IsNaN(LossOf([1, float.PositiveInfinity, 2], [1], 3, LabelSmoothing.Of(SmoothingConvention.Uniform, 0, 3)).Loss));
        Assert.Equal(0, LossOf([1, float.NegativeInfinity], [0], 2, LabelSmoothing.Of(SmoothingConvention.Uniform, 0, 2)).Loss);
    }

    [Fact]
    public void CrossEntropy_ALabelToBeIgnored_IsIgnored()
    {
        using var scope = NewDisposeScope();
        var logits_NK = torch.tensor([1f, 2, 3, 3, 2, 1], [2, 3]);

        var one = functional.cross_entropy(logits_NK, torch.tensor([2L, -100], [2])).ToDouble();

        Assert.Equal(functional.cross_entropy(logits_NK.narrow(0, 0, 1), torch.tensor([2L], [1])).ToDouble(), one, 1e-6);
        Assert.Equal(one, functional.cross_entropy(logits_NK, torch.tensor([2L, 0], [2]), ignore_index: 0).ToDouble(), 1e-6);
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
