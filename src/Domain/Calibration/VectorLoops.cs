using System.Numerics;
using System.Runtime.CompilerServices;

namespace Temper.Domain.Calibration;

/// <summary>
/// The innermost loops of the report, with the processor's vector instructions. They are compiled for speed at once: with few classes
/// a call is too short to be replaced while it runs, and the first report of a process would be several times as slow.
/// </summary>
internal static class VectorLoops
{
    /// <summary>Writes exp(β·(z_k − largest)) for each of K logits.</summary>
    /// <param name="into">K.</param>
    /// <returns>Their sum.</returns>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static double Exponentials(ReadOnlySpan<float> logits, float largest, double beta, Span<double> into)
    {
        var (top, slope, sums) = (new Vector<double>(largest), new Vector<double>(beta), Vector<double>.Zero);
        var k = 0;
        for (; k + Vector<float>.Count <= logits.Length; k += Vector<float>.Count)
        {
            Vector.Widen(new Vector<float>(logits[k..]), out var low, out var high);
            low = Vector.Exp(slope * (low - top));
            high = Vector.Exp(slope * (high - top));
            low.CopyTo(into[k..]);
            high.CopyTo(into[(k + Vector<double>.Count)..]);
            sums += low + high;
        }
        var sum = Vector.Sum(sums);
        if (k > 0 && k < logits.Length)
        {
            // The rest, together with some before it once more: faster than one by one.
            var last = logits.Length - Vector<float>.Count;
            Vector.Widen(new Vector<float>(logits[last..]), out var low, out var high);
            Vector.Exp(slope * (low - top)).CopyTo(into[last..]);
            Vector.Exp(slope * (high - top)).CopyTo(into[(last + Vector<double>.Count)..]);
            for (; k < logits.Length; k++)
                sum += into[k];
        }
        for (; k < logits.Length; k++)
            sum += into[k] = Math.Exp(beta * ((double)logits[k] - largest));
        return sum;
    }

    /// <summary>Replaces each value by exp(value − largest).</summary>
    /// <returns>Their sum.</returns>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static double Exponentials(Span<double> values, double largest)
    {
        var (top, sums, i) = (new Vector<double>(largest), Vector<double>.Zero, 0);
        for (; i + Vector<double>.Count <= values.Length; i += Vector<double>.Count)
        {
            var powers = Vector.Exp(new Vector<double>(values[i..]) - top);
            powers.CopyTo(values[i..]);
            sums += powers;
        }
        var sum = Vector.Sum(sums);
        for (; i < values.Length; i++)
            sum += values[i] = Math.Exp(values[i] - largest);
        return sum;
    }

    /// <summary>Σ_k w_k·d_k and Σ_k w_k·d_k², where d_k is z_k − largest.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static (double First, double Second) Moments(ReadOnlySpan<float> logits, float largest, ReadOnlySpan<double> weights)
    {
        var (top, firsts, seconds) = (new Vector<double>(largest), Vector<double>.Zero, Vector<double>.Zero);
        var k = 0;
        for (; k + Vector<float>.Count <= logits.Length; k += Vector<float>.Count)
        {
            Vector.Widen(new Vector<float>(logits[k..]), out var low, out var high);
            low -= top;
            high -= top;
            var (lowFirst, highFirst) = (
                low * new Vector<double>(weights[k..]),
                high * new Vector<double>(weights[(k + Vector<double>.Count)..])
            );
            firsts += lowFirst + highFirst;
            seconds += lowFirst * low + highFirst * high;
        }
        var (first, second) = (Vector.Sum(firsts), Vector.Sum(seconds));
        for (; k < logits.Length; k++)
        {
            var below = (double)logits[k] - largest;
            first += weights[k] * below;
            second += weights[k] * below * below;
        }
        return (first, second);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static double Dot(ReadOnlySpan<double> a, ReadOnlySpan<double> b)
    {
        var (sums, i) = (Vector<double>.Zero, 0);
        for (; i + Vector<double>.Count <= a.Length; i += Vector<double>.Count)
            sums += new Vector<double>(a[i..]) * new Vector<double>(b[i..]);
        var sum = Vector.Sum(sums);
        for (; i < a.Length; i++)
            sum += a[i] * b[i];
        return sum;
    }

    /// <summary>√(Σ_i (a_i − b_i)²).</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static double Distance(ReadOnlySpan<double> a, ReadOnlySpan<double> b)
    {
        var (sums, i) = (Vector<double>.Zero, 0);
        for (; i + Vector<double>.Count <= a.Length; i += Vector<double>.Count)
        {
            var difference = new Vector<double>(a[i..]) - new Vector<double>(b[i..]);
            sums += difference * difference;
        }
        var sum = Vector.Sum(sums);
        for (; i < a.Length; i++)
            sum += (a[i] - b[i]) * (a[i] - b[i]);
        return Math.Sqrt(sum);
    }

    /// <summary>Divides each value.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void Divide(Span<double> values, double by)
    {
        var i = 0;
        for (; i + Vector<double>.Count <= values.Length; i += Vector<double>.Count)
            (new Vector<double>(values[i..]) / by).CopyTo(values[i..]);
        for (; i < values.Length; i++)
            values[i] /= by;
    }

    /// <summary>Adds weight·values to the sums.</summary>
    /// <param name="values">As many as sums.</param>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void AddProduct(Span<double> sums, ReadOnlySpan<double> values, double weight)
    {
        var i = 0;
        for (; i + Vector<double>.Count <= sums.Length; i += Vector<double>.Count)
            (new Vector<double>(sums[i..]) + weight * new Vector<double>(values[i..])).CopyTo(sums[i..]);
        for (; i < sums.Length; i++)
            sums[i] += weight * values[i];
    }
}
