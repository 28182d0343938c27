using System.Diagnostics;

namespace Temper.Worker.Datasets;

/// <summary>Fetches a file from the first mirror that has the right one.</summary>
internal static class Download
{
    private const long LargestFile = 256L << 20;

    private static readonly HttpClient Http = new(new SocketsHttpHandler { ConnectTimeout = TimeSpan.FromSeconds(10) }) { Timeout = TimeSpan.FromMinutes(30) };

    /// <param name="sources">URLs, tried in order.</param>
    /// <param name="path">Written as a whole or not at all, so several runners may fetch the same file at once.</param>
    /// <param name="stall">How long a mirror may send nothing.</param>
    /// <param name="isRight">Whether the file at that path is the one wanted.</param>
    /// <param name="tell">Told about once a second how far it is.</param>
    /// <returns>Null on success, else why each mirror failed.</returns>
    public static string? ToFile(IReadOnlyList<Uri> sources, string path, TimeSpan stall, Func<string, bool> isRight, Action<string> tell, CancellationToken stop)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        DeleteAbandoned(path, stall);
        var partial = $"{path}.{Guid.NewGuid():N}.part";
        var errors = new List<string>();
        foreach (var source in sources)
        {
            try
            {
                Fetch(source, partial, stall, tell, stop);
                if (isRight(partial))
                {
                    File.Move(partial, path, overwrite: true);
                    return null;
                }
                errors.Add($"{source}: the file is not the published one (its MD5 differs)");
            }
            catch (Exception e) when (e is HttpRequestException or IOException or InvalidDataException || (e is OperationCanceledException && !stop.IsCancellationRequested))
            {
                errors.Add($"{source}: {e.Message}");
            }
            finally
            {
                File.Delete(partial);
            }
        }
        return string.Join("; ", errors);
    }

    /// <summary>A runner that was killed leaves its part of a file; one that lives writes to it all the time.</summary>
    private static void DeleteAbandoned(string path, TimeSpan stall)
    {
        foreach (var part in Directory.EnumerateFiles(Path.GetDirectoryName(path)!, "*.part"))
            if (DateTime.UtcNow - File.GetLastWriteTimeUtc(part) > 2 * stall) File.Delete(part);
    }

    /// <summary>Blocking, as all work on the training thread is.</summary>
    private static void Fetch(Uri source, string path, TimeSpan stall, Action<string> tell, CancellationToken stop)
    {
        using var silent = CancellationTokenSource.CreateLinkedTokenSource(stop);
        silent.CancelAfter(stall);
        try
        {
            Fetch(source, path, silent, stall, tell, stop);
        }
        catch (Exception) when (silent.IsCancellationRequested)
        {
            stop.ThrowIfCancellationRequested();
            throw new IOException($"sent nothing for {stall.TotalSeconds:0} s");
        }
    }

    private static void Fetch(Uri source, string path, CancellationTokenSource silent, TimeSpan stall, Action<string> tell, CancellationToken stop)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, source);
        using var response = Http.Send(request, HttpCompletionOption.ResponseHeadersRead, silent.Token);
        response.EnsureSuccessStatusCode();
        // A blocking read heeds no token, but it ends when what it reads from does.
        using var cut = silent.Token.Register(response.Dispose);
        var size = response.Content.Headers.ContentLength;
        using var body = response.Content.ReadAsStream(stop);
        using var file = File.Create(path);
        var buffer = new byte[1 << 16];
        var (done, lastLine) = (0L, Stopwatch.GetTimestamp());
        tell($"{source}{(size is null ? "" : $", {size / 1e6:F1} MB")}");
        for (int read; (read = body.Read(buffer)) > 0; done += read)
        {
            stop.ThrowIfCancellationRequested();
            silent.CancelAfter(stall);
            if (done + read > LargestFile) throw new InvalidDataException($"more than {LargestFile} bytes");
            file.Write(buffer, 0, read);
            if (Stopwatch.GetElapsedTime(lastLine).TotalSeconds < 1) continue;
            lastLine = Stopwatch.GetTimestamp();
            tell($"{source}: {(done + read) / 1e6:F1} MB{(size is null ? "" : $" of {size / 1e6:F1}")}");
        }
    }
}
