using System.Diagnostics;
using System.Globalization;

namespace Temper.Bench;

/// <summary>bench/training/peer.py: PyTorch scripts, each in a process of its own.</summary>
internal static class Peers
{
    private static readonly string Script = Path.Combine(TemperProcess.Repository, "bench", "training", "peer.py");

    public static string MnistFolder => Path.Combine(
        Environment.GetEnvironmentVariable("TEMPER_DATA") is { Length: > 0 } data ? data : throw new InvalidOperationException("Set TEMPER_DATA to a folder with mnist."), "mnist");

    /// <returns>The figure that it prints: images per second, or GFLOP/s.</returns>
    public static async Task<double> RunAsync(params string[] arguments) =>
        double.Parse(await PythonAsync([Script, .. arguments]), CultureInfo.InvariantCulture);

    public static Task<string> VersionAsync() => PythonAsync(["-c", "import torch, platform; print('PyTorch', torch.__version__, 'on Python', platform.python_version())"]);

    private static Task<string> PythonAsync(string[] arguments) => Programs.OutputAsync(new("/usr/bin/python3", arguments));
}
