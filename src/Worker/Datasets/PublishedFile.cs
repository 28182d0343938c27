using System.Security.Cryptography;

namespace Temper.Worker.Datasets;

/// <param name="Md5">Lower-case hex. It guards against broken and wrong files; the authors publish nothing stronger.</param>
/// <param name="HashOf">What the hash is taken over.</param>
internal sealed record PublishedFile(string Name, string Md5, HashOf HashOf)
{
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

    /// <summary>What its gzip content unpacks to.</summary>
    Content,
}
