namespace Temper.Domain.Calibration.Measures;

/// <summary>Conformal sets of the model as trained and after temperature.</summary>
/// <param name="Target">The share of images whose label the sets must contain: 0.9.</param>
/// <param name="Part">The images that choose the thresholds: `validation`, or, without a validation split, `testHalf`, a half of the
/// test images, chosen at random by the seed. The other half is then judged.</param>
/// <param name="CalibrationImages">Number of images that choose the thresholds.</param>
/// <param name="JudgedImages">Number of images on which sizes and coverage are counted.</param>
/// <param name="Temperature">T of `after`, fitted on the images that choose the thresholds. One parameter moves the coverage by less
/// than these images can show.</param>
/// <param name="Before">Sets of the model as trained.</param>
/// <param name="After">Sets with the logits divided by T.</param>
public sealed record ConformalComparison(
    double Target,
    string Part,
    int CalibrationImages,
    int JudgedImages,
    double Temperature,
    ConformalSets Before,
    ConformalSets After
)
{
    /// <returns>Null when fewer than <see cref="ConformalSets.LeastImages"/> images can choose the thresholds.</returns>
    public static ConformalComparison? Of(
        LabelledLogits? validation,
        LabelledLogits test,
        long seed,
        CancellationToken cancellation = default
    )
    {
        if ((validation?.Count ?? (test.Count + 1) / 2) < ConformalSets.LeastImages)
            return null;
        var (calibration, judged) = validation is null ? Halves(test, seed) : (validation, test);
        var temperature = TemperatureFit.On(calibration, cancellation).Temperature;
        return new(
            ConformalSets.Coverage,
            validation is null ? "testHalf" : "validation",
            calibration.Count,
            judged.Count,
            temperature,
            ConformalSets.Of(calibration, judged, 1, seed, cancellation),
            ConformalSets.Of(calibration, judged, temperature, seed, cancellation)
        );
    }

    private static (LabelledLogits, LabelledLogits) Halves(LabelledLogits test, long seed)
    {
        var halves = CrossFit.Deal(test.Count, 2, seed);
        return (Half(0), Half(1));

        LabelledLogits Half(int which) => test.At([.. Enumerable.Range(0, test.Count).Where(i => halves[i] == which)]);
    }
}
