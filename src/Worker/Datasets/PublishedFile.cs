using System.Security.Cryptography;

namespace Temper.Worker.Datasets;

/// <param name="Md5">MD5, lower-case hex. It detects damaged and wrong files; the authors publish no stronger hash.</param>
/// <param name="HashOf">What the hash covers.</param>
internal sealed record PublishedFile(string Name, string Md5, HashOf HashOf)
{
    /// <summary>Names that a user's copy may have, the published name first.</summary>
    public IReadOnlyList<string> Names { get; init; } = [Name];

    /// <returns>Null if the folder has none of the names.</returns>
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

    /// <summary>The unpacked content.</summary>
    Content,
}
