using System.Security.Cryptography;

namespace Temper.Worker.Datasets;

/// <param name="Md5">Lower-case hex. It guards against broken and wrong files; the authors publish nothing stronger.</param>
/// <param name="HashOf">What the hash is taken over.</param>
internal sealed record PublishedFile(string Name, string Md5, HashOf HashOf)
{
    /// <summary>As what a user may have it, the published name first.</summary>
    public IReadOnlyList<string> Names { get; init; } = [Name];

    /// <returns>Null where the folder has it under none of its names.</returns>
    public FoundFile? FindIn(string folder) =>
        Names.Select(name => FoundFile.At(Path.Combine(folder, name))).FirstOrDefault(file => file is not null);

    /// <exception cref="IOException">The file cannot be read.</exception>
    public bool Is(string path, CancellationToken stop)
    {
        try
        {
            return (HashOf == HashOf.Content ? Idx.ContentMd5(path, stop) : Md5Of(path)) == Md5;
        }
        catch (InvalidDataException)
        {
            return false;
        }
    }

    public static string Md5Of(string path)
    {
        using var file = File.OpenRead(path);
        return Convert.ToHexStringLower(MD5.HashData(file));
    }
}

internal enum HashOf
{
    /// <summary>The file as downloaded.</summary>
    File,

    /// <summary>What it unpacks to.</summary>
    Content,
}
