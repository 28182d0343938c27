using Temper.Domain;
using Temper.Domain.Calibration;
using Temper.Harness;

namespace Temper.Unit.Domain.Calibration;

public class CrossFitTests
{
    [Theory]
    [InlineData(5000, 0)] // in several pieces of work
    [InlineData(53, 7)]
    [InlineData(3, 1)]
    public void Report_WithoutValidationImages_JudgesEachFoldByTheTemperatureOfTheOthers(int images, long seed)
    {
        var all = SimulatedLogits.Draw(images, 1.7, 11);

        var report = CalibrationReport.Of(null, all, null, new(Binning.Guo, 15, 0, seed));

        var folds = Enumerable.Range(0, images).Select(i => i % Math.Min(5, images)).ToArray();
        new SplitMix64(seed, 3).Shuffle<int>(folds);
        Assert.Equal(folds.Max() + 1, report.CrossFit!.Folds);
        var losses = 0.0;
        for (var fold = 0; fold < report.CrossFit.Folds; fold++)
        {
            var temperature = TemperatureFit.On(Where(all, i => folds[i] != fold)).Temperature;
            Assert.Equal(temperature, report.CrossFit.Temperatures[fold], 1e-7 * temperature);
            losses += Predictions.Of(Where(all, i => folds[i] == fold), temperature).LogLosses.Sum();
        }
        Assert.Equal(losses / images, report.After.Nll.Value, 1e-7);
        Assert.Equal(TemperatureFit.On(all), report.TemperatureFit);
        Assert.Equal(report.TemperatureFit.Temperature, report.After.Temperature);
        Assert.Equal(report.Before.Accuracy, report.After.Accuracy);
    }

    private static LabelledLogits Where(LabelledLogits logits, Func<int, bool> isIn)
    {
        int[] rows = [.. Enumerable.Range(0, logits.Count).Where(isIn)];
        return new([.. rows.SelectMany(i => logits.Row(i).ToArray())], [.. rows.Select(i => logits.Labels[i])], logits.Classes);
    }
}
