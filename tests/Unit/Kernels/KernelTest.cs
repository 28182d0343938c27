namespace Temper.Unit.Kernels;

/// <summary>
/// Compares this project's operations with TorchSharp's. Convolutions, normalizations and linear layers run with the kernels
/// switched off, where they fall back on TorchSharp's operations, and with kernels for registers of 8 and of 16 floats if this
/// processor has them.
/// </summary>
public abstract class KernelTest : IDisposable
{
    /// <summary>Limits of the lanes: no kernels, AVX2, AVX-512.</summary>
    protected const int Plain = 0,
        Avx2 = 8,
        Avx512 = 16;

    /// <summary>Tolerance relative to the largest value of a result.</summary>
    protected const double Tolerance = 5e-6;

    private readonly int threads = torch.get_num_threads();
    private readonly DisposeScope scope = NewDisposeScope();

    public void Dispose()
    {
        scope.Dispose();
        KernelLibrary.LimitLanes(Avx512);
        Libtorch.UseThreads(threads);
        GC.SuppressFinalize(this);
    }

    protected static bool HasKernels => KernelLibrary.MissingReason is null;

    /// <summary>Numbers from −0.5 to 0.5.</summary>
    protected static float[] Real(long count, int seed)
    {
        var random = new Random(seed);
        return [.. Enumerable.Range(0, (int)count).Select(_ => random.NextSingle() - 0.5f)];
    }

    /// <summary>
    /// Whole numbers from −2 to 2. Their sums are not rounded, so any order of summation gives the same bits, and equal
    /// values are exactly equal.
    /// </summary>
    protected static float[] Whole(long count, int seed) => Array.ConvertAll(Real(count, seed), value => MathF.Round(value * 4));

    protected static long Count(params long[] shape) => shape.Aggregate(1L, (a, b) => a * b);

    protected static Tensor Values(Func<long, int, float[]> draw, int seed, params long[] shape) =>
        torch.tensor(draw(Count(shape), seed), shape);

    /// <summary>The same images, laid out N, H, W, C.</summary>
    protected static Tensor ChannelsLast(Tensor images_NCHW) => images_NCHW.permute(0, 2, 3, 1).contiguous().permute(0, 3, 1, 2);

    /// <summary>The values in row-major order, for any layout of the tensor; empty when null.</summary>
    protected static float[] Read(Tensor? tensor) => tensor is null ? [] : tensor.detach().contiguous().data<float>().ToArray();

    protected static void AssertClose(float[] expected, float[] actual, double tolerance = Tolerance)
    {
        Assert.Equal(expected.Length, actual.Length);
        var scale = expected.Where(float.IsFinite).Select(Math.Abs).DefaultIfEmpty(0).Max();
        for (var i = 0; i < expected.Length; i++)
            Assert.Equal(expected[i], actual[i], Math.Max(tolerance * scale, 1e-30));
    }
}
