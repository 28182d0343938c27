using Temper.Domain.Calibration.Measures;

namespace Temper.Domain.Calibration.Calibrators;

/// <summary>
/// Which calibrator to use. Each is fitted on four of five folds and judged on the fifth, so that no image is judged by a fit that has
/// seen it. The simplest is chosen whose NLL is within one standard error of the best one's; the error is that of the difference of
/// both, image by image.
/// </summary>
/// <param name="Chosen">The calibrator to use.</param>
/// <param name="Best">That with the least NLL.</param>
/// <param name="Part">The images that were used: `validation`, or `test` without a validation split.</param>
/// <param name="Images">Their number: all, or some at random if more than 10,000 images or 2²⁰ probabilities.</param>
/// <param name="Folds">5.</param>
/// <param name="Scores">All calibrators, from the simplest on.</param>
/// <remarks>The rule of one standard error: Breiman et al. 1984, "Classification and regression trees", §3.4.3.</remarks>
public sealed record CalibratorComparison(
    CalibratorName Chosen,
    CalibratorName Best,
    string Part,
    int Images,
    int Folds,
    IReadOnlyList<CalibratorScore> Scores
)
{
    private const int MostImages = 10_000,
        MostProbabilities = 1 << 20,
        MostMatrixProducts = 1 << 25;

    /// <summary>Each fold has two images or more.</summary>
    public const int LeastImages = 10;

    /// <summary>The seed of a report that names none.</summary>
    public const long DefaultSeed = 0;

    /// <param name="validation">Null when there are none; the test images are then used.</param>
    /// <returns>Null for fewer than <see cref="LeastImages"/> images.</returns>
    /// <exception cref="OperationCanceledException">The call was cancelled; it checks at each step of a fit.</exception>
    public static CalibratorComparison? Of(
        LabelledLogits? validation,
        LabelledLogits test,
        long seed,
        CancellationToken cancellation = default
    )
    {
        var all = validation ?? test;
        if (all.Count < LeastImages)
            return null;
        var images = Sample(all, seed);
        var losses = CrossFitted(images, seed, cancellation);
        var (chosen, best, scores) = Choose(losses);
        return new(chosen, best, validation is null ? "test" : "validation", images.Count, CrossFit.MostFolds, scores);
    }

    /// <param name="images">Number of validation images with logits; 0 when logits were not kept.</param>
    /// <param name="classes">K.</param>
    /// <returns>The calibrators that can be used, from the simplest on. With two of them there is nothing to choose.</returns>
    public static IReadOnlyList<CalibratorName> Allowed(int images, int classes)
    {
        images = Math.Min(images, MostOf(classes));
        return
        [
            .. Enum.GetValues<CalibratorName>()
                .Where(name =>
                    name <= CalibratorName.Temperature
                    || images >= LeastImages
                        && (name != CalibratorName.StructuredMatrix || (long)images * classes * classes <= MostMatrixProducts)
                ),
        ];
    }

    /// <summary>Fits a calibrator on the images on which <see cref="Of"/> compares it with <see cref="DefaultSeed"/>.</summary>
    /// <param name="name">One that is allowed; null for the one that the comparison chooses.</param>
    /// <param name="validation">At least <see cref="LeastImages"/> images.</param>
    /// <exception cref="OperationCanceledException">The call was cancelled; it checks at each step of a fit.</exception>
    public static Calibrator Fit(CalibratorName? name, LabelledLogits validation, CancellationToken cancellation = default)
    {
        var images = Sample(validation, DefaultSeed);
        var fitted = name ?? Choose(CrossFitted(images, DefaultSeed, cancellation)).Chosen;
        return Calibrator.Fit(fitted, images, TemperatureFit.On(images, cancellation).Temperature, cancellation);
    }

    /// <param name="losses">The loss of each image by each calibrator; null for one that was left out.</param>
    internal static (CalibratorName Chosen, CalibratorName Best, CalibratorScore[] Scores) Choose(double[]?[] losses)
    {
        var means = Array.ConvertAll(losses, one => one is null ? double.NaN : MeanWithError.Of(one).Mean);
        var best = Enumerable.Range(0, means.Length).Where(c => double.IsFinite(means[c])).MinBy(c => means[c]);
        CalibratorScore[] scores = [.. losses.Select((one, c) => CalibratorScore.Of((CalibratorName)c, one, losses[best]!))];
        var chosen = scores.First(score => score.Nll is not null && score.Difference <= score.DifferenceError);
        return (chosen.Name, (CalibratorName)best, scores);
    }

    /// <returns>The images that are used to choose and to fit.</returns>
    private static LabelledLogits Sample(LabelledLogits all, long seed) => all.At(Subsample.Of(all.Count, MostOf(all.Classes), seed));

    private static int MostOf(int classes) => Math.Min(MostImages, MostProbabilities / classes);

    private static double[]?[] CrossFitted(LabelledLogits images, long seed, CancellationToken cancellation)
    {
        var folds = CrossFit.Deal(images.Count, CrossFit.MostFolds, seed);
        var allowed = Allowed(images.Count, images.Classes);
        double[]?[] losses = [.. Enum.GetValues<CalibratorName>().Select(name => allowed.Contains(name) ? new double[images.Count] : null)];
        Parallel.For(
            0,
            CrossFit.MostFolds,
            Cores.Until(cancellation),
            fold =>
            {
                int[] others = [.. Enumerable.Range(0, images.Count).Where(i => folds[i] != fold)],
                    own = [.. Enumerable.Range(0, images.Count).Where(i => folds[i] == fold)];
                var (fitted, judged) = (images.At(others), images.At(own));
                var temperature = TemperatureFit.On(fitted, cancellation).Temperature;
                foreach (var name in Enum.GetValues<CalibratorName>())
                {
                    if (losses[(int)name] is not { } into)
                        continue;
                    var held = Calibrator.Fit(name, fitted, temperature, cancellation).Losses(judged);
                    for (var i = 0; i < own.Length; i++)
                        into[own[i]] = held[i];
                }
            }
        );
        return losses;
    }
}

/// <summary>The cross-fitted NLL of one calibrator.</summary>
/// <param name="Nll">Mean over the images, nats; null when it is not finite or the calibrator was left out.</param>
/// <param name="NllError">Its standard error.</param>
/// <param name="Difference">NLL − that of the best calibrator.</param>
/// <param name="DifferenceError">Standard error of this difference, from the differences of each image.</param>
/// <param name="Note">Why there is no NLL; null when there is.</param>
public sealed record CalibratorScore(
    CalibratorName Name,
    double? Nll,
    double? NllError,
    double? Difference,
    double? DifferenceError,
    string? Note
)
{
    internal static CalibratorScore Of(CalibratorName name, double[]? losses, double[] best)
    {
        if (losses is null)
            return new(name, null, null, null, null, "Left out: with so many images and classes its fit takes too long.");
        var nll = MeanWithError.Of(losses);
        if (!double.IsFinite(nll.Mean) || !double.IsFinite(nll.Error))
            return new(name, null, null, null, null, "The NLL is not finite: a label has the probability 0.");
        var differences = new double[losses.Length];
        for (var i = 0; i < losses.Length; i++)
            differences[i] = losses[i] - best[i];
        var difference = MeanWithError.Of(differences);
        return new(name, nll.Mean, nll.Error, difference.Mean, difference.Error, null);
    }
}
