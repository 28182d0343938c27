using Temper.Domain.Calibration;
using Temper.Domain.Calibration.Calibrators;
using Temper.Harness;

namespace Temper.Unit.Domain.Calibration;

public class CalibratorTests
{
    private static readonly LabelledLogits Validation = SimulatedLogits.Draw(600, 1.5, 1),
        Test = SimulatedLogits.Draw(300, 1.5, 2);

    public static TheoryData<CalibratorName> Names => [.. Enum.GetValues<CalibratorName>()];

    [Theory, MemberData(nameof(Names))]
    public void Probabilities_OfEachCalibrator_AreThoseOfItsLosses(CalibratorName name)
    {
        var calibrator = CalibratorComparison.Fit(name, Validation);

        var probabilities = calibrator.Probabilities(Test.Logits, Test.Classes);

        Assert.Equal(name, calibrator.Name);
        var rows = probabilities.Chunk(Test.Classes).ToArray();
        Assert.All(rows, row => Assert.Equal(1, row.Sum(), 1e-12));
        Assert.All(probabilities, p => Assert.InRange(p, double.Epsilon, 1));
        var losses = calibrator.Losses(Test);
        for (var i = 0; i < Test.Count; i++)
            Assert.Equal(-Math.Log(rows[i][Test.Labels[i]]), losses[i], 1e-10);
    }

    [Fact]
    public void Probabilities_ByTemperature_AreTheSoftmaxOfTheReport()
    {
        var temperature = TemperatureFit.On(Validation).Temperature;
        foreach (var (name, at) in new[] { (CalibratorName.None, 1), (CalibratorName.Temperature, temperature) })
        {
            var expected = SimulatedLogits.Probabilities(Test, at);
            var actual = CalibratorComparison.Fit(name, Validation).Probabilities(Test.Logits, Test.Classes);
            Assert.All(expected.Zip(actual), pair => Assert.Equal(pair.First, pair.Second, 1e-12));
        }
    }

    [Fact]
    public void Fit_WithoutAName_IsWhatTheComparisonChooses()
    {
        var shifted = new LabelledLogits(
            [.. Validation.Logits.Select((logit, i) => i % Validation.Classes == 0 ? logit + 2 : logit)],
            Validation.Labels,
            Validation.Classes
        );

        Assert.Equal(CalibratorName.Temperature, CalibratorComparison.Fit(null, Validation).Name);
        var chosen = CalibratorComparison.Of(shifted, Test, CalibratorComparison.DefaultSeed)!.Chosen;
        Assert.Equal(CalibratorName.BiasCorrectedTemperature, chosen);
        Assert.Equal(chosen, CalibratorComparison.Fit(null, shifted).Name);
    }

    [Theory]
    [InlineData(0, 10, 2)]
    [InlineData(9, 10, 2)]
    [InlineData(10, 10, 7)]
    [InlineData(50_000, 10, 7)]
    [InlineData(10_000, 100, 6)] // 10,000·100² is above 2²⁵, so without structured matrix scaling
    public void Allowed_ByNumbersOfImagesAndClasses_LeavesOutWhatCannotBeFitted(int images, int classes, int count)
    {
        var allowed = CalibratorComparison.Allowed(images, classes);

        Assert.Equal(count, allowed.Count);
        Assert.Equal([CalibratorName.None, CalibratorName.Temperature], allowed.Take(2));
        Assert.Equal(count == 7, allowed.Contains(CalibratorName.StructuredMatrix));
    }

    [Fact]
    public void OneAgainstAll_ByHistogram_IsConstantInEachBinAndStepsAtItsEdge()
    {
        var calibrator = (OneAgainstAll)CalibratorComparison.Fit(CalibratorName.Histogram, Validation);

        foreach (var function in calibrator.Functions)
        {
            Assert.InRange(function.At.Length, 3, 2 * 15 - 1);
            for (var i = 1; i < function.At.Length; i += 2)
            {
                Assert.Equal(Math.BitIncrement(function.At[i]), function.At[i + 1]);
                Assert.Equal(function.Values[i - 1], function.Values[i]);
                Assert.Equal(function.Values[i + 1], function.Of(function.At[i + 1]));
            }
        }
    }
}
