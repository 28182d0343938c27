using System.Diagnostics;

namespace Temper.Bench;

internal static class Programs
{
    /// <returns>The program's standard output, trimmed.</returns>
    /// <exception cref="InvalidOperationException">The program's exit code is not 0.</exception>
    public static async Task<string> OutputAsync(ProcessStartInfo start)
    {
        start.RedirectStandardOutput = true;
        using var process = Process.Start(start)!;
        var output = await process.StandardOutput.ReadToEndAsync();
        await process.WaitForExitAsync();
        return process.ExitCode == 0
            ? output.Trim()
            : throw new InvalidOperationException(
                $"{start.FileName} {string.Join(' ', start.ArgumentList)} ended with {process.ExitCode}."
            );
    }
}
