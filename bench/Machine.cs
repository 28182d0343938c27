using System.Runtime.InteropServices;

namespace Temper.Bench;

internal static class Machine
{
    /// <summary>Describes this machine in one line, for the head of a record.</summary>
    public static string Describe()
    {
        var cpu = File.ReadLines("/proc/cpuinfo").FirstOrDefault(line => line.StartsWith("model name"))?.Split(':')[1].Trim();
        return $"{DateTime.UtcNow:yyyy-MM-dd}, {cpu}, {Environment.ProcessorCount} cores, {RuntimeInformation.OSDescription}, .NET "
            + $"{Environment.Version}";
    }
}
