using Temper.Domain.Datasets;
using Temper.Worker.Datasets;

namespace Temper.Worker.Training;

/// <summary>Evaluates a model on corrupted test images. They are made batch by batch, so that memory holds one batch of them.</summary>
internal static class CorruptedTest
{
    /// <param name="seed">The seed of the job's spec.</param>
    /// <param name="evaluate">Gives the logits, n×K, of the n images at the indices; it may throw to stop.</param>
    /// <returns>The logits of all test images, N×K row-major, for one corruption after another.</returns>
    public static IEnumerable<(Corruption Corruption, float[] Logits)> Logits(
        Dataset dataset,
        long seed,
        Normalization normalization,
        Device device,
        Func<ResidentImages, long[], float[]> evaluate
    )
    {
        var (card, test) = (dataset.Card, dataset.Test);
        var imageBytes = card.Channels * card.Height * card.Width;
        var size = Evaluator.SizeOfBatch((long)card.Height * card.Width);
        foreach (var corruption in Corruption.All)
        {
            var corrupted = new CorruptedImages(corruption, card.Channels, card.Height, card.Width, seed);
            var logits = new float[test.Count * card.Classes];
            for (var start = 0; start < test.Count; start += size)
            {
                var count = Math.Min(size, test.Count - start);
                var pixels = new byte[count * imageBytes];
                for (var i = 0; i < count; i++)
                    corrupted.Write(
                        test.Pixels.AsSpan((start + i) * imageBytes, imageBytes),
                        start + i,
                        pixels.AsSpan(i * imageBytes, imageBytes)
                    );
                var batch = new LabelledImages(pixels, test.Labels[start..(start + count)]);
                using var images = new ResidentImages(dataset, batch, new long[count], normalization, device);
                evaluate(images, [.. Enumerable.Range(0, count).Select(i => (long)i)]).CopyTo(logits, start * card.Classes);
            }
            yield return (corruption, logits);
        }
    }
}
