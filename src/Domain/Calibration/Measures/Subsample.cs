namespace Temper.Domain.Calibration.Measures;

/// <summary>Some of many images, chosen at random.</summary>
internal static class Subsample
{
    private const ulong Stream = 8;

    /// <returns>The indices of <paramref name="most"/> images without repetition, or of all if there are no more; ascending.</returns>
    public static int[] Of(int count, int most, long seed)
    {
        var images = new int[count];
        for (var i = 0; i < count; i++)
            images[i] = i;
        if (count <= most)
            return images;
        new SplitMix64(seed, Stream).Shuffle<int>(images);
        Array.Resize(ref images, most);
        Array.Sort(images);
        return images;
    }
}
