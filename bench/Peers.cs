using System.Globalization;

namespace Temper.Bench;

/// <summary>
/// The programs with which Temper is compared, each in its own process: the PyTorch scripts of bench/training/peer.py, and loops
/// in TorchSharp.
/// </summary>
internal static class Peers
{
    private static readonly string Script = Path.Combine(TemperProcess.Repository, "bench", "training", "peer.py");

    public static string MnistFolder =>
        Path.Combine(
            Environment.GetEnvironmentVariable("TEMPER_DATA") is { Length: > 0 } data
                ? data
                : throw new InvalidOperationException("Set TEMPER_DATA to a folder with mnist."),
            "mnist"
        );

    /// <returns>The figure that the script prints: images per second, or GFLOP/s.</returns>
    public static async Task<double> RunAsync(params string[] arguments) =>
        double.Parse(await PythonAsync([Script, .. arguments]), CultureInfo.InvariantCulture);

    /// <inheritdoc cref="RunAsync"/>
    public static Task<double> RunTorchSharpAsync(params string[] arguments) => OwnProcessAsync(["torchsharp", .. arguments]);

    /// <summary>Runs a part of this program in its own process.</summary>
    public static async Task<double> OwnProcessAsync(params string[] arguments) =>
        double.Parse(await Programs.OutputAsync(new(Environment.ProcessPath!, arguments)), CultureInfo.InvariantCulture);

    public static Task<string> VersionAsync() =>
        PythonAsync(["-c", "import torch, platform; print('PyTorch', torch.__version__, 'on Python', platform.python_version())"]);

    private static Task<string> PythonAsync(string[] arguments) => Programs.OutputAsync(new("/usr/bin/python3", arguments));
}
