using System.Diagnostics;
using System.Net;
using System.Net.Http.Headers;

namespace Temper.Worker.Datasets;

/// <summary>
/// Downloads one mirror's file into a part, from where the part ends. It blocks, like all work on the training thread.
/// </summary>
/// <param name="stall">How long the mirror may send nothing.</param>
/// <param name="tell">Called about once a second with the progress.</param>
internal sealed class Fetch(Uri source, string part, TimeSpan stall, Action<string> tell, CancellationToken stop)
{
    private const long LargestFile = 256L << 20;

    private const int MostConnections = 20;

    private static readonly HttpClient Http = new(new SocketsHttpHandler { ConnectTimeout = TimeSpan.FromSeconds(10) })
    {
        Timeout = Timeout.InfiniteTimeSpan,
    };

    private long lastLine;

    private long Done => File.Exists(part) ? new FileInfo(part).Length : 0;

    /// <summary>Downloads the file. It reconnects after a broken connection that brought data, up to 20 connections.</summary>
    /// <exception cref="HttpRequestException">The mirror does not have the file.</exception>
    /// <exception cref="IOException">The connection broke.</exception>
    /// <exception cref="TimeoutException">The mirror sent nothing for the stall time.</exception>
    /// <exception cref="InvalidDataException">The file is larger than any data set.</exception>
    public void Run()
    {
        for (var connection = 1; ; connection++)
        {
            var before = Done;
            try
            {
                Connect();
                return;
            }
            catch (IOException) when (connection < MostConnections && Done > before) { }
        }
    }

    private void Connect()
    {
        using var silent = CancellationTokenSource.CreateLinkedTokenSource(stop);
        silent.CancelAfter(stall);
        try
        {
            Receive(silent);
        }
        catch (Exception e) when (e is not InvalidDataException && silent.IsCancellationRequested)
        {
            stop.ThrowIfCancellationRequested();
            throw new TimeoutException($"sent nothing for {stall.TotalSeconds:0} s");
        }
    }

    private void Receive(CancellationTokenSource silent)
    {
        var done = Done;
        using var request = new HttpRequestMessage(HttpMethod.Get, source);
        if (done > 0)
            request.Headers.Range = new RangeHeaderValue(done, null);
        using var response = Http.Send(request, HttpCompletionOption.ResponseHeadersRead, silent.Token);
        if (done > 0 && response.StatusCode == HttpStatusCode.RequestedRangeNotSatisfiable)
        {
            if (response.Content.Headers.ContentRange?.Length == done)
                return; // the part is complete
            File.Delete(part);
            Receive(silent);
            return;
        }
        response.EnsureSuccessStatusCode();
        if (response.StatusCode != HttpStatusCode.PartialContent)
            done = 0; // this mirror ignores ranges and sends the whole file
        // A blocking read does not check the token, but it ends when the response is disposed.
        using var cut = silent.Token.Register(response.Dispose);
        using var body = response.Content.ReadAsStream(stop);
        // Without a buffer, so that the part always has all received bytes.
        using var file = new FileStream(
            part,
            done > 0 ? FileMode.Append : FileMode.Create,
            FileAccess.Write,
            FileShare.Read,
            bufferSize: 0
        );
        Copy(body, file, done, done + response.Content.Headers.ContentLength, silent);
    }

    private void Copy(Stream body, Stream file, long done, long? size, CancellationTokenSource silent)
    {
        var buffer = new byte[1 << 16];
        Tell(done, size);
        for (int read; (read = body.Read(buffer)) > 0; )
        {
            stop.ThrowIfCancellationRequested();
            silent.CancelAfter(stall);
            if ((done += read) > LargestFile)
                throw new InvalidDataException($"more than {LargestFile} bytes");
            file.Write(buffer, 0, read);
            if (Stopwatch.GetElapsedTime(lastLine).TotalSeconds >= 1)
                Tell(done, size);
        }
        // A disposed response or a broken connection may look like the end of the file.
        silent.Token.ThrowIfCancellationRequested();
        if (done < size)
            throw new IOException($"ended after {done} of {size} bytes");
    }

    private void Tell(long done, long? size)
    {
        lastLine = Stopwatch.GetTimestamp();
        tell($"{source}: {done / 1e6:F1} MB{(size is null ? "" : $" of {size / 1e6:F1}")}");
    }
}
