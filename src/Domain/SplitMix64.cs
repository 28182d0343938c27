namespace Temper.Domain;

/// <summary>
/// A small random generator whose numbers determine results: unlike those of System.Random and libtorch, they are the same in all
/// versions, on all platforms and devices. Steele, Lea and Flood 2014, "Fast splittable pseudorandom number generators".
/// </summary>
/// <param name="seed">The user's seed.</param>
/// <param name="stream">Selects one of the independent sequences of that seed.</param>
public sealed class SplitMix64(long seed, ulong stream)
{
    private const ulong Gamma = 0x9E3779B97F4A7C15;

    private ulong state = Mix((ulong)seed) ^ Mix(~stream);

    public ulong NextUInt64() => Mix(state += Gamma);

    /// <summary>Uniform in [0, 1), 53 bits.</summary>
    public double NextDouble() => ToDouble(NextUInt64());

    /// <summary>Uniform in [from, to).</summary>
    public double NextDouble(double from, double to) => from + (to - from) * NextDouble();

    /// <summary>Uniform in [0, below). The bias of the 128-bit product is below 2⁻³² for every size in use.</summary>
    public int NextInt32(int below) => (int)Math.BigMul(NextUInt64(), (ulong)below, out _);

    /// <summary>The number that <see cref="NextDouble()"/> gives after <paramref name="skipped"/> others. The sequence stays where
    /// it is, so several threads may call this at once.</summary>
    public double DoubleAfter(long skipped) => ToDouble(Mix(state + Gamma * ((ulong)skipped + 1)));

    /// <summary>The same sequence from its place after <paramref name="skipped"/> numbers on.</summary>
    public SplitMix64 After(long skipped) => new(seed, stream) { state = state + Gamma * (ulong)skipped };

    /// <summary>Shuffles in place by Fisher–Yates.</summary>
    public void Shuffle<T>(Span<T> items)
    {
        for (var i = items.Length - 1; i > 0; i--)
        {
            var j = NextInt32(i + 1);
            (items[i], items[j]) = (items[j], items[i]);
        }
    }

    private static double ToDouble(ulong bits) => (bits >> 11) * (1.0 / (1UL << 53));

    private static ulong Mix(ulong z)
    {
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
        return z ^ (z >> 31);
    }
}
