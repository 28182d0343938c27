using System.Runtime.CompilerServices;

namespace Temper.Kernels;

/// <summary>
/// The native library of kernels, libtemper_kernels.so. If it is missing, libtorch computes every operation, more slowly. If the
/// processor has no AVX2, libtorch computes convolutions, normalizations and linear layers.
/// </summary>
public static unsafe class KernelLibrary
{
    private static readonly Lazy<string?> Missing = new(Load);

    /// <summary>Why there are no kernels; null when there are.</summary>
    public static string? MissingReason => Missing.Value ?? (NativeKernels.tk_lanes() == 0 ? "this processor has no AVX2" : null);

    /// <summary>For example: avx512 kernels, avx2 kernels, no kernels.</summary>
    public static string Description =>
        MissingReason is not null ? "no kernels"
        : NativeKernels.tk_lanes() == 16 ? "avx512 kernels"
        : "avx2 kernels";

    /// <summary>Whether the library is loaded. Each operation checks separately whether a kernel fits its tensors.</summary>
    internal static bool IsLoaded => Missing.Value is null;

    internal static void UseThreads(int threads)
    {
        // Share the thread pool of the OpenMP runtime that libtorch has loaded. Without that runtime a kernel uses one thread.
        if (IsLoaded)
            NativeKernels.tk_set_threads(Libtorch.FindExport("GOMP_parallel"), threads);
    }

    /// <summary>
    /// For tests and measurements: limits kernels to this many floats per register. Below 8 there are no kernels for
    /// convolutions, normalizations and linear layers.
    /// </summary>
    public static void LimitLanes(int lanes)
    {
        if (IsLoaded)
            NativeKernels.tk_limit_lanes(lanes);
    }

    private static string? Load()
    {
        Libtorch.Load(); // outside the try: its errors do not mean that kernels are missing
        try
        {
            NativeKernels.tk_set_threads(Libtorch.FindExport("GOMP_parallel"), torch.get_num_threads());
            return null;
        }
        catch (Exception e) when (e is DllNotFoundException or EntryPointNotFoundException or BadImageFormatException)
        {
            return File.Exists(Path.Combine(AppContext.BaseDirectory, "libtemper_kernels.so"))
                ? $"libtemper_kernels.so does not load: {e.Message}"
                : "libtemper_kernels.so is not beside the program; the build makes it with cmake and g++";
        }
    }

    /// <param name="status">The status that a kernel returned.</param>
    /// <param name="used">The tensors whose memory the kernel used. Passing them keeps them alive until it has returned.</param>
    /// <exception cref="OutOfMemoryException">The kernel could not allocate its scratch memory.</exception>
    [MethodImpl(MethodImplOptions.NoInlining)]
    internal static void Check(int status, params ReadOnlySpan<Tensor?> used)
    {
        if (status != 0)
            throw new OutOfMemoryException("A kernel found no memory for its intermediate results.");
    }
}
