using System.Runtime.CompilerServices;

namespace Temper.Kernels;

/// <summary>
/// The native library of kernels, libtemper_kernels.so. Where it is missing, every operation is libtorch's own, and slower. Where the
/// processor has no AVX2, so are convolutions, normalizations and linear layers.
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

    /// <summary>Whether the library is there. Whether a kernel fits a tensor is another question, which each operation asks.</summary>
    internal static bool IsLoaded => Missing.Value is null;

    internal static void UseThreads(int threads)
    {
        // One pool of threads: that of the OpenMP runtime that libtorch needs and has loaded. Without it a kernel uses one thread.
        if (IsLoaded)
            NativeKernels.tk_set_threads(Libtorch.FindExport("GOMP_parallel"), threads);
    }

    /// <summary>
    /// For tests and measurements: kernels with at most so many floats in a register. Below 8 there are none for
    /// convolutions, normalizations and linear layers.
    /// </summary>
    public static void LimitLanes(int lanes)
    {
        if (IsLoaded)
            NativeKernels.tk_limit_lanes(lanes);
    }

    private static string? Load()
    {
        Libtorch.Load(); // what is wrong there is not a want of kernels
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

    /// <param name="status">What a kernel returned.</param>
    /// <param name="used">The tensors whose memory it used. They must not be finalized before it returned.</param>
    /// <exception cref="OutOfMemoryException">It could not allocate its scratch memory.</exception>
    [MethodImpl(MethodImplOptions.NoInlining)]
    internal static void Check(int status, params ReadOnlySpan<Tensor?> used)
    {
        if (status != 0)
            throw new OutOfMemoryException("A kernel found no memory for its intermediate results.");
    }
}
