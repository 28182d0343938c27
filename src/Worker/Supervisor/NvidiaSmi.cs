using System.ComponentModel;
using System.Diagnostics;
using System.Globalization;
using System.Text;

namespace Temper.Worker.Supervisor;

/// <summary>A card as nvidia-smi tells of it.</summary>
/// <param name="MemoryTotalMiB">Null when nvidia-smi does not tell it; so are the other figures.</param>
internal sealed record Card(int Index, string Uuid, string Name, int? MemoryTotalMiB, int? MemoryUsedMiB, int? UtilizationPercent);

/// <summary>Lists the machine's cards by running nvidia-smi.</summary>
/// <param name="program">A name that is looked up in PATH, or a path.</param>
/// <param name="limit">How long the program may take.</param>
internal sealed class NvidiaSmi(string program, TimeSpan limit)
{
    private const int LongestOutput = 64 * 1024;

    private Process? stuck;

    /// <summary>Runs the program once. It is killed when it takes too long.</summary>
    /// <exception cref="NvidiaSmiException">The program is missing, failed, took too long, or wrote something else.</exception>
    public async Task<IReadOnlyList<Card>> ListAsync(CancellationToken cancellationToken)
    {
        try
        {
            return await RunAsync(cancellationToken);
        }
        catch (Exception e) when (e is not (NvidiaSmiException or OperationCanceledException))
        {
            throw new NvidiaSmiException($"{program} cannot be used: {e.Message}", e);
        }
    }

    /// <summary>
    /// Keeps the cards that CUDA_VISIBLE_DEVICES names, in its order. As in CUDA, a name is a number or the begin of a uuid, and
    /// the first name that fits no card ends the list.
    /// </summary>
    /// <param name="visible">The variable's value; null when it is not set.</param>
    public static IReadOnlyList<Card> Visible(IReadOnlyList<Card> cards, string? visible)
    {
        if (visible is null)
            return cards;
        var kept = new List<Card>();
        foreach (var name in visible.Split(',', StringSplitOptions.TrimEntries))
        {
            var named = int.TryParse(name, NumberStyles.None, CultureInfo.InvariantCulture, out var index)
                ? cards.FirstOrDefault(card => card.Index == index)
                : cards.FirstOrDefault(card => name.Length > 0 && card.Uuid.StartsWith(name, StringComparison.OrdinalIgnoreCase));
            if (named is null)
                break;
            if (!kept.Contains(named))
                kept.Add(named);
        }
        return kept;
    }

    /// <param name="output">A line `index, uuid, name, memory.total, memory.used, utilization.gpu` for each card.</param>
    /// <exception cref="NvidiaSmiException">A line is not of this form.</exception>
    public static IReadOnlyList<Card> Parse(string output)
    {
        var cards = new List<Card>();
        foreach (var line in output.Split('\n', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries))
        {
            // A name might have a comma; nothing else has one.
            if (
                line.Split(',', StringSplitOptions.TrimEntries) is not [var number, var uuid, .. var name, var total, var used, var busy]
                || !int.TryParse(number, NumberStyles.None, CultureInfo.InvariantCulture, out var index)
                || uuid.Length == 0
                || name.Length == 0
            )
                throw new NvidiaSmiException($"nvidia-smi wrote a line that describes no card: {Shortened(line)}");
            cards.Add(new(index, uuid, string.Join(", ", name), Figure(total), Figure(used), Figure(busy)));
        }
        return cards;
    }

    /// <returns>Null for what is no number, such as `[N/A]`.</returns>
    private static int? Figure(string text) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var figure) ? figure : null;

    private async Task<IReadOnlyList<Card>> RunAsync(CancellationToken cancellationToken)
    {
        // A process that a driver blocks in the kernel does not exit. A second one would be blocked as well.
        if (stuck is { HasExited: false })
            throw new NvidiaSmiException($"{program} was killed and has not ended yet.");
        stuck?.Dispose();
        stuck = null;
        var process = Start();
        try
        {
            using var enough = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            enough.CancelAfter(limit);
            using var reader = process.StandardOutput; // the process does not close a reader that was used
            var output = await ReadAsync(reader).WaitAsync(enough.Token); // a read from a pipe cannot be cancelled
            await process.WaitForExitAsync(enough.Token);
            return process.ExitCode == 0
                ? Parse(output)
                : throw new NvidiaSmiException($"{program} exited with code {process.ExitCode}: {Shortened(output)}");
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            throw new NvidiaSmiException($"{program} did not end within {limit.TotalSeconds:0} s.");
        }
        finally
        {
            End(process);
        }
    }

    private Process Start()
    {
        try
        {
            return Process.Start(
                new ProcessStartInfo(program)
                {
                    RedirectStandardOutput = true,
                    RedirectStandardInput = true,
                    ArgumentList =
                    {
                        "--query-gpu=index,uuid,name,memory.total,memory.used,utilization.gpu",
                        "--format=csv,noheader,nounits",
                    },
                }
            )!;
        }
        catch (Win32Exception e)
        {
            throw new NvidiaSmiException($"{program} does not start: {e.Message}", e);
        }
    }

    private static async Task<string> ReadAsync(StreamReader from)
    {
        var (text, buffer) = (new StringBuilder(), new char[4096]);
        while (text.Length < LongestOutput && await from.ReadAsync(buffer) is > 0 and var count)
            text.Append(buffer, 0, count);
        return text.ToString();
    }

    private void End(Process process)
    {
        try
        {
            if (!process.HasExited)
                process.Kill(entireProcessTree: true);
        }
        catch (Exception e) when (e is AggregateException or Win32Exception or InvalidOperationException)
        {
            // It has just ended, or cannot be ended, which the wait tells.
        }
        if (process.WaitForExit(TimeSpan.FromSeconds(1)))
            process.Dispose();
        else
            stuck = process;
    }

    private static string Shortened(string text) => text.Trim() is var trimmed && trimmed.Length > 200 ? $"{trimmed[..200]}…" : trimmed;
}

/// <summary>nvidia-smi listed no cards; the message says why.</summary>
internal sealed class NvidiaSmiException(string message, Exception? cause = null) : Exception(message, cause);
