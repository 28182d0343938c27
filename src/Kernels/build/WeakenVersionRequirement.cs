using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Text;
using Microsoft.Build.Framework;
using Microsoft.Build.Utilities;

/// <summary>
/// Copies a shared library so that it loads with an older version of a library that it needs. The loader refuses a library that
/// requires a symbol version which the other one lacks, even if it uses no symbol of that version. The copy marks such a
/// requirement with the flag VER_FLG_WEAK, so the loader skips it. docs/libtorch.md says why this is safe.
/// </summary>
/// <remarks>
/// elf(5) and the Linux Standard Base, "Symbol Versioning", specify the formats. It reads 64-bit, little-endian files.
/// </remarks>
public class WeakenVersionRequirement : Task
{
    private const uint DynamicSymbols = 11,
        Relocations = 4,
        SymbolVersions = 0x6FFFFFFF,
        VersionRequirements = 0x6FFFFFFE;
    private const ushort Weak = 2,
        VersionMask = 0x7FFF;

    /// <summary>The library to copy.</summary>
    [Required]
    public string Source { get; set; }

    /// <summary>The path of the copy.</summary>
    [Required]
    public string Copy { get; set; }

    /// <summary>The name of the library that may lack versions, as the source requires it, such as libstdc++.so.6.</summary>
    [Required]
    public string Needed { get; set; }

    /// <summary>Folders that may have that library on this system.</summary>
    [Required]
    public string[] Folders { get; set; }

    /// <summary>The copy if one was necessary, otherwise the source.</summary>
    [Output]
    public string Library { get; set; }

    public override bool Execute()
    {
        Library = Source;
        var present = Folders.Select(folder => Path.Combine(folder, Needed)).FirstOrDefault(File.Exists);
        if (present == null)
            return Without(); // the loader looks in other folders
        var file = File.ReadAllBytes(Source);
        var sections = Sections(file).ToArray();
        var offered = File.ReadAllText(present, Encoding.GetEncoding("latin1"));
        var missing = Requirements(file, sections)
            .Where(required => required.File == Needed && !offered.Contains("\0" + required.Version + "\0"))
            .ToArray();
        if (missing.Length == 0)
            return Without();

        foreach (var required in missing)
        {
            var used = UsedSymbols(file, sections, required.Index).ToArray();
            if (used.Length > 0)
            {
                Log.LogError(
                    "{0} uses {1} of {2}, which {3} lacks: a newer system is needed.",
                    Source,
                    string.Join(", ", used),
                    required.Version,
                    present
                );
                return false;
            }
            var flags = BitConverter.GetBytes((ushort)(BitConverter.ToUInt16(file, required.FlagsAt) | Weak));
            Array.Copy(flags, 0, file, required.FlagsAt, flags.Length);
        }
        Library = Copy;
        if (File.Exists(Copy) && File.ReadAllBytes(Copy).SequenceEqual(file))
            return true; // do not rewrite it: a running program may have it open
        Directory.CreateDirectory(Path.GetDirectoryName(Copy));
        // Replace it at once, so that a program that starts now finds either the old or the new file.
        File.WriteAllBytes(Copy + ".new", file);
        if (File.Exists(Copy))
            File.Replace(Copy + ".new", Copy, null);
        else
            File.Move(Copy + ".new", Copy);
        Log.LogMessage(
            MessageImportance.Normal,
            "{0} lacks {1}; {2} does without.",
            present,
            string.Join(", ", missing.Select(required => required.Version)),
            Copy
        );
        return true;
    }

    /// <summary>Removes the copy that an earlier build on an older system may have left.</summary>
    private bool Without()
    {
        if (File.Exists(Copy))
            File.Delete(Copy);
        return true;
    }

    private struct Section
    {
        public uint Type;
        public int At,
            Size,
            Link;
    }

    private struct Requirement
    {
        public string File,
            Version;
        public ushort Index; // symbols refer to the version by this index
        public int FlagsAt;
    }

    private static IEnumerable<Section> Sections(byte[] file)
    {
        var (headers, size, count) = (
            (int)BitConverter.ToInt64(file, 0x28),
            BitConverter.ToUInt16(file, 0x3A),
            BitConverter.ToUInt16(file, 0x3C)
        );
        for (var i = 0; i < count; i++)
        {
            var at = headers + i * size;
            yield return new Section
            {
                Type = BitConverter.ToUInt32(file, at + 4),
                At = (int)BitConverter.ToInt64(file, at + 0x18),
                Size = (int)BitConverter.ToInt64(file, at + 0x20),
                Link = (int)BitConverter.ToUInt32(file, at + 0x28),
            };
        }
    }

    private static IEnumerable<Requirement> Requirements(byte[] file, Section[] sections)
    {
        foreach (var section in sections.Where(section => section.Type == VersionRequirements))
        {
            var names = sections[section.Link].At;
            for (int at = section.At, next = -1; next != 0; at += next)
            {
                var name = Text(file, names + BitConverter.ToInt32(file, at + 4));
                next = BitConverter.ToInt32(file, at + 12);
                for (int version = at + BitConverter.ToInt32(file, at + 8), step = -1; step != 0; version += step)
                {
                    step = BitConverter.ToInt32(file, version + 12);
                    yield return new Requirement
                    {
                        File = name,
                        Version = Text(file, names + BitConverter.ToInt32(file, version + 8)),
                        Index = BitConverter.ToUInt16(file, version + 6),
                        FlagsAt = version + 4,
                    };
                }
            }
        }
    }

    /// <summary>The symbols of one version that relocations refer to. The loader looks up only these.</summary>
    private static IEnumerable<string> UsedSymbols(byte[] file, Section[] sections, ushort version)
    {
        var symbols = sections.Single(section => section.Type == DynamicSymbols);
        var versions = sections.Single(section => section.Type == SymbolVersions);
        var used = new HashSet<int>();
        foreach (var section in sections.Where(section => section.Type == Relocations))
            for (var at = section.At; at < section.At + section.Size; at += 24)
                used.Add(BitConverter.ToInt32(file, at + 12));
        return used.Where(symbol => (BitConverter.ToUInt16(file, versions.At + 2 * symbol) & VersionMask) == version)
            .Select(symbol => Text(file, sections[symbols.Link].At + BitConverter.ToInt32(file, symbols.At + 24 * symbol)));
    }

    private static string Text(byte[] file, int at) => Encoding.ASCII.GetString(file, at, Array.IndexOf<byte>(file, 0, at) - at);
}
