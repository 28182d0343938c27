using System.Security.Cryptography;
using System.Text;

namespace Temper.Worker.Datasets;

/// <summary>
/// Fetches a file from the first mirror that has the right one. What has come stays, and the next try goes on from
/// there.
/// </summary>
internal static class Download
{
    /// <param name="sources">URLs, tried in order.</param>
    /// <param name="path">Written as a whole or not at all, by one runner at a time; others wait for it.</param>
    /// <param name="stall">How long a mirror may send nothing.</param>
    /// <param name="isRight">Whether the file at that path is the one wanted.</param>
    /// <param name="tell">Told about once a second how far it is.</param>
    /// <returns>Null on success, else why each mirror failed.</returns>
    public static string? ToFile(
        IReadOnlyList<Uri> sources,
        string path,
        TimeSpan stall,
        Func<string, bool> isRight,
        Action<string> tell,
        CancellationToken stop
    )
    {
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        using var turn = FileLock.Take($"{path}.lock", () => tell($"{path}: another runner fetches it"), stop);
        if (File.Exists(path) && isRight(path))
            return null;
        var errors = new List<string>();
        foreach (var source in sources)
        {
            var part = PartOf(path, source);
            try
            {
                if (TryFetch(new(source, part, stall, tell, stop), part, isRight))
                {
                    File.Move(part, path, overwrite: true);
                    DeleteParts(path);
                    return null;
                }
                errors.Add($"{source}: the file is not the published one (its MD5 differs)");
            }
            catch (Exception e) when (e is HttpRequestException or IOException or TimeoutException or InvalidDataException)
            {
                if (e is InvalidDataException)
                    File.Delete(part); // too large: nothing to go on from
                errors.Add($"{source}: {e.Message}");
            }
        }
        return string.Join("; ", errors);
    }

    /// <summary>What an earlier try left may be of another file than the mirror has now: then it is fetched from its beginning.</summary>
    private static bool TryFetch(Fetch fetch, string part, Func<string, bool> isRight)
    {
        while (true)
        {
            var wentOn = File.Exists(part);
            fetch.Run();
            if (isRight(part))
                return true;
            File.Delete(part);
            if (!wentOn)
                return false;
        }
    }

    private static void DeleteParts(string path)
    {
        foreach (var part in Directory.EnumerateFiles(Path.GetDirectoryName(path)!, $"{Path.GetFileName(path)}.*.part"))
            File.Delete(part);
    }

    /// <summary>Mirrors may pack the same content differently, so a part goes on only from where it came from.</summary>
    internal static string PartOf(string path, Uri source) =>
        $"{path}.{Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(source.AbsoluteUri)))[..8]}.part";
}
