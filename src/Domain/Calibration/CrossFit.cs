namespace Temper.Domain.Calibration;

/// <summary>
/// Temperature scaling without a validation split. The images are dealt to folds at random. The logits of each fold are divided by
/// the T that is fitted on the other folds, so that no image is judged by a T that has seen it.
/// </summary>
/// <param name="Folds">Number of folds: 5, or the number of images if that is smaller.</param>
/// <param name="Seed">The seed by which images are dealt to folds: that of the report.</param>
/// <param name="Temperatures">T of each fold, fitted on the other folds.</param>
/// <param name="Sentence">This in a sentence, with the range of T.</param>
/// <remarks>The intervals of the report do not contain the variation of T.</remarks>
public sealed record CrossFit(int Folds, long Seed, IReadOnlyList<double> Temperatures, string Sentence)
{
    internal const int MostFolds = 5;

    private const ulong Stream = 3;

    /// <summary>The fold of each image.</summary>
    private byte[] FoldOf { get; init; } = [];

    /// <param name="all">The fit on all images, at which each fold's search begins.</param>
    /// <exception cref="ArgumentException">There are fewer than two images.</exception>
    internal static CrossFit Of(LabelledLogits test, TemperatureFit all, long seed, CancellationToken cancellation)
    {
        if (test.Count < 2)
            throw new ArgumentException("Without a validation split a report needs at least two images.", nameof(test));
        var count = Math.Min(MostFolds, test.Count);
        var folds = Deal(test.Count, count, seed);
        var temperatures = TemperatureFit.WithoutEach(test, folds, count, all.Temperature, cancellation);
        return new(
            count,
            seed,
            temperatures,
            $"There is no validation part, so `after` is cross-fitted: the logits of each of {count} folds are divided by the T that is "
                + $"fitted on the other folds, {Numeral.Of(temperatures.Min(), "0.0000")} to {Numeral.Of(temperatures.Max(), "0.0000")}. "
                + $"The T to use, {Numeral.Of(all.Temperature, "0.0000")}, is fitted on all images."
        )
        {
            FoldOf = folds,
        };
    }

    /// <summary>The probabilities of each image at the temperature of its fold.</summary>
    internal Predictions Predict(LabelledLogits test, CancellationToken cancellation) =>
        Predictions.Of(test, i => Temperatures[FoldOf[i]], cancellation);

    /// <returns>The fold of each image. The sizes differ by one at most.</returns>
    internal static byte[] Deal(int images, int folds, long seed)
    {
        var dealt = new byte[images];
        for (var i = 0; i < images; i++)
            dealt[i] = (byte)(i % folds);
        new SplitMix64(seed, Stream).Shuffle<byte>(dealt);
        return dealt;
    }
}
