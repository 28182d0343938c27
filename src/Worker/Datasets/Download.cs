using System.Security.Cryptography;
using System.Text;

namespace Temper.Worker.Datasets;

/// <summary>
/// Downloads a file from the first mirror that has the right one. An interrupted download keeps its part of the file, and the
/// next try resumes from there.
/// </summary>
internal static class Download
{
    /// <param name="sources">URLs, tried in order.</param>
    /// <param name="path">The file to write, completely or not at all. One runner writes it; others wait.</param>
    /// <param name="stall">How long a mirror may send nothing before the next one is tried.</param>
    /// <param name="isRight">Tells whether the file at a path is the right one.</param>
    /// <param name="tell">Called about once a second with the progress.</param>
    /// <returns>Null on success, otherwise why each mirror failed.</returns>
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
                    File.Delete(part); // too large, so there is nothing to resume from
                errors.Add($"{source}: {e.Message}");
            }
        }
        return string.Join("; ", errors);
    }

    /// <summary>Fetches a file. If a resumed file is wrong, it starts over, because the mirror's file may have changed.</summary>
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

    /// <summary>The path of a mirror's part. Mirrors may pack the same content differently, so each has its own part.</summary>
    internal static string PartOf(string path, Uri source) =>
        $"{path}.{Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(source.AbsoluteUri)))[..8]}.part";
}
