using System.Globalization;

namespace Temper.Harness;

/// <summary>The largest resident memory of a process, in bytes.</summary>
public static class PeakMemory
{
    /// <summary>Begins anew from the present memory.</summary>
    /// <returns>The present memory.</returns>
    public static long Reset(int process)
    {
        File.WriteAllText($"/proc/{process}/clear_refs", "5"); // see proc(5)
        return Of(process);
    }

    /// <returns>The largest since the last reset, or since the start.</returns>
    public static long Of(int process)
    {
        const string Field = "VmHWM:",
            Unit = " kB";
        var line = File.ReadLines($"/proc/{process}/status").Single(line => line.StartsWith(Field, StringComparison.Ordinal));
        return long.Parse(line[Field.Length..^Unit.Length], NumberStyles.AllowLeadingWhite, CultureInfo.InvariantCulture) << 10;
    }
}
