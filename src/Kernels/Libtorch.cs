using System.Reflection;
using System.Runtime.InteropServices;

namespace Temper.Kernels;

/// <summary>Loads libtorch and applies its process-wide settings. See docs/libtorch.md.</summary>
public static unsafe partial class Libtorch
{
    private static readonly Lazy<nint> TorchCpu = new(LoadLibraries);

    /// <summary>For example: TorchSharp 0.107.0, libtorch 2.10.0, avx2 kernels.</summary>
    public static string Description =>
        $"TorchSharp {typeof(torch).Assembly.GetName().Version?.ToString(3)}, libtorch "
        + $"{torch.NormalizeNuGetVersion(torch.__version__)}, {KernelLibrary.Description}";

    /// <summary>
    /// Loads libtorch. Call it before TorchSharp is first used: when TorchSharp cannot load its libraries by itself, it copies
    /// all of them into a folder beside the program.
    /// </summary>
    /// <exception cref="DllNotFoundException">The libraries are missing, or this system is too old for them.</exception>
    public static void Load() => _ = TorchCpu.Value;

    /// <summary>
    /// Sets how many CPU threads an operation of libtorch or a kernel may use. The default is the number of cores.
    /// </summary>
    public static void UseThreads(int threads)
    {
        Load();
        torch.set_num_threads(threads);
        KernelLibrary.UseThreads(threads);
    }

    /// <summary>
    /// Makes libtorch prefer GPU algorithms that give the same bits each time, where it has the choice. On the CPU they always
    /// do. cuBLAS also needs CUBLAS_WORKSPACE_CONFIG=:4096:8 in the environment before the process starts.
    /// </summary>
    /// <remarks>TorchSharp has no such call, so this calls the methods of at::Context by their names in libtorch_cpu.</remarks>
    public static void UseDeterministicAlgorithms()
    {
        var context = ((delegate* unmanaged<nint>)Export("_ZN2at13globalContextEv"))();
        // Set this first, because otherwise libtorch would fill every new tensor with NaN.
        Set("_ZN2at7Context39setDeterministicFillUninitializedMemoryEb", false);
        // Without a deterministic algorithm libtorch gives a warning, not an error.
        ((delegate* unmanaged<nint, byte, byte, void>)Export("_ZN2at7Context26setDeterministicAlgorithmsEbb"))(context, 1, 1);
        Set("_ZN2at7Context21setDeterministicCuDNNEb", true);
        Set("_ZN2at7Context17setBenchmarkCuDNNEb", false);

        void Set(string name, bool on) => ((delegate* unmanaged<nint, byte, void>)Export(name))(context, on ? (byte)1 : (byte)0);
    }

    /// <summary>
    /// Keeps freed memory in the process. By default glibc gets the memory of each large tensor from the operating system and
    /// returns it when the tensor is freed, so every training step faults the same pages in again. Keeping the memory makes a
    /// step on the CPU about 1.6 times as fast.
    /// </summary>
    public static void KeepFreedMemory()
    {
        const int trimThreshold = -1,
            topPad = -2,
            mmapThreshold = -3;
        if (mallopt(mmapThreshold, 1 << 30) == 0 || mallopt(trimThreshold, int.MaxValue) == 0 || mallopt(topPad, 64 << 20) == 0)
            throw new InvalidOperationException("mallopt refused the thresholds.");
    }

    /// <summary>Returns freed memory to the operating system.</summary>
    public static void ReleaseFreedMemory() => _ = malloc_trim(0);

    /// <summary>The address of a function that libtorch_cpu or one of its dependencies exports.</summary>
    internal static nint Export(string name) => NativeLibrary.GetExport(TorchCpu.Value, name);

    /// <returns>The address; 0 when no library exports such a function.</returns>
    internal static nint FindExport(string name) => NativeLibrary.TryGetExport(TorchCpu.Value, name, out var address) ? address : 0;

    private static nint LoadLibraries()
    {
        var (folder, libTorchSharp) = Location();
        // In this order, because each library then finds its dependencies already loaded.
        NativeLibrary.Load(Path.Combine(folder, "libtorch.so"));
        NativeLibrary.Load(libTorchSharp);
        torch.InitializeDeviceType(DeviceType.CPU);
        return NativeLibrary.Load(Path.Combine(folder, "libtorch_cpu.so"));
    }

    /// <summary>
    /// Finds the libraries: beside a published program, otherwise in NuGet's folder, where the build found them.
    /// </summary>
    private static (string Folder, string LibTorchSharp) Location()
    {
        const string libTorchSharp = "libLibTorchSharp.so";
        foreach (
            var folder in (string[])[AppContext.BaseDirectory, Path.Combine(AppContext.BaseDirectory, "runtimes", "linux-x64", "native")]
        )
            if (File.Exists(Path.Combine(folder, libTorchSharp)))
                return (folder, Path.Combine(folder, libTorchSharp));
        return (Metadata("LibtorchFolder"), Metadata("LibTorchSharpFile"));
    }

    private static string Metadata(string key) =>
        typeof(Libtorch).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>().FirstOrDefault(attribute => attribute.Key == key)?.Value
        ?? throw new DllNotFoundException(
            $"libtorch is not beside the program in {AppContext.BaseDirectory}, and the build did not record another place."
        );

    [LibraryImport("libc")]
    private static partial int mallopt(int parameter, int value);

    [LibraryImport("libc")]
    private static partial int malloc_trim(nuint pad);
}
