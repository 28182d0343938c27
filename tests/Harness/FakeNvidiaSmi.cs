namespace Temper.Harness;

/// <summary>A script that stands in for nvidia-smi. It answers the worker's query with the lines that a test sets.</summary>
public sealed class FakeNvidiaSmi
{
    private readonly string folder;

    /// <param name="folder">Where the script is written.</param>
    public FakeNvidiaSmi(string folder, params string[] lines)
    {
        this.folder = folder;
        Print(lines);
    }

    /// <summary>For the setting `Worker:NvidiaSmi`.</summary>
    public string Path => System.IO.Path.Combine(folder, "nvidia-smi");

    /// <summary>A card as the real program prints it.</summary>
    public static string Card(int index, string uuid) => $"{index}, {uuid}, NVIDIA H100 80GB HBM3, 81559, {1000 + index}, {10 * index}";

    public void Print(params string[] lines) =>
        Run(
            $"""
            [ "$*" = "--query-gpu=index,uuid,name,memory.total,memory.used,utilization.gpu --format=csv,noheader,nounits" ] || exit 64
            cat <<'END'
            {string.Join('\n', lines)}
            END
            """
        );

    /// <summary>From now on the script executes these commands of a shell.</summary>
    public void Run(string commands)
    {
        var fresh = $"{Path}.new";
        File.WriteAllText(fresh, $"#!/bin/sh\n{commands}\n");
        if (OperatingSystem.IsLinux())
            File.SetUnixFileMode(fresh, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        File.Move(fresh, Path, overwrite: true); // a script that is being read must not change
    }
}
