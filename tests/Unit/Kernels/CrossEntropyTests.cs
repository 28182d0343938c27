using Temper.Domain.Smoothing;
using Temper.Unit.Fixtures;

namespace Temper.Unit.Kernels;

[Collection(AloneCollection.Name)]
public sealed class CrossEntropyTests : KernelTest
{
    private sealed record Case(
        int Classes,
        int Spread,
        double Epsilon,
        int Salt,
        long[] Labels,
        double Uniform,
        double[] UniformGradient,
        double Others,
        double[] OthersGradient
    );

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
        // The ε of the grid may lie outside the range of the other convention.
        if (c.Epsilon > LabelSmoothing.Largest(convention, c.Classes))
            return;
        var (actualLoss, actualGradient) = LossOf(logits, c.Labels, c.Classes, LabelSmoothing.Of(convention, c.Epsilon, c.Classes));

        Assert.Equal(loss, actualLoss, 1e-6 * Math.Max(1, loss));
        for (var i = 0; i < gradient.Length; i++)
            Assert.Equal(gradient[i], actualGradient[i], 1e-6);
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
        Assert.Equal(
            others,
            LossOf(logits, [label], logits.Length, LabelSmoothing.Of(SmoothingConvention.Others, epsilon, logits.Length)).Loss,
            1e-6
        );
        if (kl is not null)
            Assert.Equal(kl.Value, loss - smoothing.TargetEntropy, 1e-6);
    }

    [Theory]
    [InlineData(1, 2, 0.0, 1)]
    [InlineData(7, 10, 0.1, 1)]
    [InlineData(128, 10, 0.3, 2)]
    [InlineData(1001, 100, 0.1, 1)] // large enough for the kernel to use several threads
    [InlineData(1001, 100, 0.1, 2)]
    [InlineData(1001, 100, 0.1, 3)]
    [InlineData(33, 3, 1.0, 2)]
    public void CrossEntropy_OfTheKernel_EqualsLibtorchs(int rows, int classes, double epsilon, int threads)
    {
        Libtorch.UseThreads(threads);
        var values = Array.ConvertAll(Fixture.Values(rows * classes, rows), value => (float)(20 * value));
        var labels_N = torch.tensor(Enumerable.Range(0, rows).Select(row => (long)(7 * row % classes)).ToArray(), [rows]);

        var (loss, gradient) = Both(Fused.CrossEntropy);
        Assert.Equal(gradient, Both(Fused.CrossEntropy).Gradient); // equal to the bit on the same number of threads
        var (expected, expectedGradient) = Both(
            (logits, labels, smoothing) => functional.cross_entropy(logits, labels, label_smoothing: smoothing)
        );

        Assert.Equal(expected, loss, 2e-6 * Math.Max(1, expected));
        AssertClose(expectedGradient, gradient);

        (double Loss, float[] Gradient) Both(Func<Tensor, Tensor, double, Tensor> crossEntropy)
        {
            var logits_NK = torch.tensor(values, [rows, classes]).requires_grad_();
            var mean = crossEntropy(logits_NK, labels_N, epsilon);
            using (no_grad())
                Assert.Equal(mean.ToDouble(), crossEntropy(logits_NK, labels_N, epsilon).ToDouble(), 1e-6);
            Gradients.Compute(mean * 3);
            return (mean.ToDouble(), Read(logits_NK.grad));
        }
    }

    [Fact]
    public void CrossEntropy_OfNotANumber_IsNoneEither()
    {
        Assert.True(
            double.IsNaN(LossOf([1, float.NaN, 2, 1, 2, 3], [0, 2], 3, LabelSmoothing.Of(SmoothingConvention.Uniform, 0.1, 3)).Loss)
        );
        Assert.True(
            double.IsNaN(LossOf([1, float.PositiveInfinity, 2], [1], 3, LabelSmoothing.Of(SmoothingConvention.Uniform, 0, 3)).Loss)
        );
        Assert.Equal(0, LossOf([1, float.NegativeInfinity], [0], 2, LabelSmoothing.Of(SmoothingConvention.Uniform, 0, 2)).Loss);
    }

    [Theory]
    [InlineData(3)]
    [InlineData(-1)]
    public void CrossEntropy_OfALabelThatIsNoClass_SaysWhichRow(long label)
    {
        var error = Assert.Throws<IndexOutOfRangeException>(() =>
            Fused.CrossEntropy(torch.zeros(2, 3), torch.tensor([0L, label], [2]), 0.1)
        );

        Assert.Contains($"Label {label} of row 1", error.Message);
    }

    /// <summary>libtorch computes other types and layouts.</summary>
    [Fact]
    public void CrossEntropy_ThatTheKernelDoesNotTake_IsLibtorchs()
    {
        var labels_N = torch.tensor([0L, 2], [2]);
        Tensor doubles = torch.randn(2, 3, ScalarType.Float64),
            transposed = torch.randn(3, 2).t();

        Assert.Equal(ScalarType.Float64, Fused.CrossEntropy(doubles, labels_N, 0.1).dtype);
        Assert.Equal(
            functional.cross_entropy(transposed, labels_N, label_smoothing: 0.1).ToDouble(),
            Fused.CrossEntropy(transposed, labels_N, 0.1).ToDouble(),
            1e-7
        );
    }

    [Fact]
    public void CountHits_WithTiesAndNaN_TakesTheClassThatArgmaxTakes()
    {
        float[] logits =
        [
            1,
            2,
            2, /**/
            0,
            0,
            0, /**/
            1,
            float.NaN,
            5, /**/
            float.NegativeInfinity,
            float.NegativeInfinity,
            -1, /**/
            3,
            2,
            1,
        ];
        var logits_NK = torch.tensor(logits, [5, 3]);
        for (var label = 0L; label < 3; label++)
        {
            var labels_N = torch.tensor(Enumerable.Repeat(label, 5).ToArray(), [5]);

            Assert.Equal(logits_NK.argmax(1).eq(labels_N).sum().ToInt64(), Fused.CountHits(logits_NK, labels_N));
        }
    }

    private static (double Loss, float[] Gradient) LossOf(float[] logits, long[] labels, int classes, LabelSmoothing smoothing)
    {
        using var scope = NewDisposeScope();
        var logits_NK = torch.tensor(logits, [labels.Length, classes]).requires_grad_();
        var loss = Fused.CrossEntropy(logits_NK, torch.tensor(labels, [labels.Length]), smoothing.EpsilonUniform);
        Gradients.Compute(loss);
        return (loss.ToDouble(), logits_NK.grad!.data<float>().ToArray());
    }
}
