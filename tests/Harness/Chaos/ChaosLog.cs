using System.Diagnostics;

namespace Temper.Harness.Chaos;

/// <summary>A file with the events and their times, and one file with the output of each process.</summary>
public sealed class ChaosLog : IDisposable
{
    private readonly Stopwatch clock = Stopwatch.StartNew();
    private readonly StreamWriter file;

    public ChaosLog(string folder)
    {
        Folder = Directory.CreateDirectory(folder).FullName;
        file = new(Path.Combine(folder, "events.log")) { AutoFlush = true };
    }

    public string Folder { get; }

    public void Write(string line)
    {
        lock (file)
            file.WriteLine($"{DateTime.Now:HH:mm:ss.fff} {clock.Elapsed.TotalSeconds, 8:F2} s  {line}");
    }

    public void Keep(string name, string text) => File.WriteAllText(Path.Combine(Folder, name), text);

    public void Dispose() => file.Dispose();
}
