using System.Diagnostics;
using System.Reflection;
using System.Text.RegularExpressions;

namespace Temper.Unit.Kernels;

[Collection(AloneCollection.Name)]
public sealed class LibtorchTests : KernelTest
{
    private const string Initializer = "_ZSt21ios_base_library_initv";

    private static string Folder => Metadata("LibtorchFolder");

    /// <summary>TorchSharp's library as its package contains it.</summary>
    private static string Original =>
        Path.Combine(
            Folder,
            "../../../../../torchsharp",
            typeof(torch).Assembly.GetName().Version!.ToString(3),
            "runtimes/linux-x64/native/libLibTorchSharp.so"
        );

    [Fact]
    public void Description_NamesEveryLibrary() =>
        Assert.Matches(@"^TorchSharp 0\.107\.0, libtorch 2\.10\.0, (avx512|avx2|no) kernels$", Libtorch.Description);

    /// <summary>
    /// docs/libtorch.md explains why the copy is safe: of the symbols that Debian 12 lacks, TorchSharp's library names one, to
    /// which nothing in it refers. If a later TorchSharp needs more, this test must fail before a user's machine does.
    /// </summary>
    [Fact]
    public async Task LibTorchSharp_OfWhatDebian12Lacks_NamesOneSymbolThatNothingUses()
    {
        var symbols = await ReadElfAsync("--dyn-syms", Original);
        var relocations = await ReadElfAsync("--relocs", Original);
        var newer = Regex
            .Matches(symbols, @"(\S+)@(GLIBCXX_3\.4\.(\d+)|CXXABI_1\.3\.(\d+))")
            .Where(use => int.TryParse(use.Groups[3].Value, out var version) ? version > 30 : int.Parse(use.Groups[4].Value) > 13);

        Assert.Equal([Initializer], newer.Select(use => use.Groups[1].Value));
        Assert.Contains("_ZNSt8ios_baseD2Ev", relocations); // shows that the relocations name symbols
        Assert.DoesNotContain(Initializer, relocations);
        // libtorch_cpu sets up the streams, which is the purpose of the missing symbol.
        Assert.Contains("_ZNSt8ios_base4InitC1Ev", await ReadElfAsync("--dyn-syms", Path.Combine(Folder, "libtorch_cpu.so")));
    }

    [Fact]
    public void LibTorchSharp_ThatWasLoaded_DiffersFromThePackagesInOneFlagAtMost()
    {
        byte[] original = File.ReadAllBytes(Original),
            loaded = File.ReadAllBytes(LoadedFile("libLibTorchSharp.so"));

        var differences = original
            .Zip(loaded)
            .Select((pair, at) => (pair.First, pair.Second, at))
            .Where(one => one.First != one.Second)
            .ToArray();

        Assert.Equal(original.Length, loaded.Length);
        if (differences.Length > 0)
            Assert.Equal((0, 2), (Assert.Single(differences).First, differences[0].Second)); // VER_FLG_WEAK
    }

    /// <summary>
    /// The libraries take half a gigabyte. They lie in NuGet's folder, not beside every program that uses them.
    /// </summary>
    [Fact]
    public void Output_OfABuild_HoldsNoLibtorch() =>
        Assert.Empty(Directory.GetFiles(AppContext.BaseDirectory, "*torch_cpu*", SearchOption.AllDirectories));

    /// <summary>
    /// The code calls these settings by the names that libtorch exports, which a later version could change. On the CPU the
    /// settings change no result.
    /// </summary>
    [Fact]
    public unsafe void UseDeterministicAlgorithms_ReachesLibtorchsSettings()
    {
        var context = ((delegate* unmanaged<nint>)Libtorch.Export("_ZN2at13globalContextEv"))();
        bool Get(string name) => ((delegate* unmanaged<nint, byte>)Libtorch.Export(name))(context) != 0;

        Libtorch.UseDeterministicAlgorithms();

        Assert.True(Get("_ZNK2at7Context23deterministicAlgorithmsEv"));
        Assert.True(Get("_ZNK2at7Context18deterministicCuDNNEv"));
        Assert.False(Get("_ZNK2at7Context14benchmarkCuDNNEv"));
        Assert.False(Get("_ZNK2at7Context36deterministicFillUninitializedMemoryEv"));
    }

    /// <summary>
    /// The linker keeps one copy of a function that the compiler did not inline. That copy might be AVX-512 code, which other
    /// processors cannot run.
    /// </summary>
    [Fact]
    public async Task KernelsOfOneInstructionSet_ShareNoFunctionWithTheRest()
    {
        if (!HasKernels)
            return; // the kernels were not built
        var objects = Directory.GetFiles(
            Path.Combine(Temper.Harness.TemperProcess.Repository, "src/Kernels/obj/native"),
            "*_kernels.cpp.o",
            SearchOption.AllDirectories
        );

        Assert.Equal(8, objects.Length);
        foreach (var file in objects)
            Assert.DoesNotContain(
                (await ReadElfAsync("--symbols", file)).Split('\n'),
                line => line.Contains(" WEAK ") && !line.Contains(" UND ")
            );
    }

    private static async Task<string> ReadElfAsync(string what, string file)
    {
        using var process = Process.Start(new ProcessStartInfo("readelf", ["--wide", what, file]) { RedirectStandardOutput = true })!;
        var output = await process.StandardOutput.ReadToEndAsync();
        await process.WaitForExitAsync();
        return output;
    }

    /// <summary>The path from which this process loaded a library.</summary>
    private static string LoadedFile(string name)
    {
        Libtorch.Load();
        return File.ReadLines("/proc/self/maps")
            .Select(line => line[(line.LastIndexOf(' ') + 1)..])
            .First(path => path.EndsWith($"/{name}", StringComparison.Ordinal));
    }

    private static string Metadata(string key) =>
        typeof(Libtorch).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>().Single(attribute => attribute.Key == key).Value!;
}
