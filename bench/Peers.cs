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
        double.Parse(await ReadAsync([Script, .. arguments]), CultureInfo.InvariantCulture);

    public static Task<string> VersionAsync() => ReadAsync(["-c", "import torch, platform; print('PyTorch', torch.__version__, 'on Python', platform.python_version())"]);

    private static async Task<string> ReadAsync(string[] arguments)
    {
        using var process = Process.Start(new ProcessStartInfo("/usr/bin/python3", arguments) { RedirectStandardOutput = true })!;
        var output = await process.StandardOutput.ReadToEndAsync();
        await process.WaitForExitAsync();
        return process.ExitCode == 0 ? output.Trim() : throw new InvalidOperationException($"python3 {string.Join(' ', arguments)} ended with {process.ExitCode}.");
    }
}
