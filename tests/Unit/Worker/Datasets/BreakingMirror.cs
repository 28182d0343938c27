using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Temper.Unit.Worker.Datasets;

/// <summary>
/// A mirror whose connections end early. Each delivers half of the rest of the file, and the next request may continue from
/// there.
/// </summary>
internal sealed class BreakingMirror : IDisposable
{
    private readonly TcpListener listener = new(IPAddress.Loopback, 0);
    private readonly IReadOnlyDictionary<string, byte[]> files;

    public BreakingMirror(IReadOnlyDictionary<string, byte[]> files)
    {
        this.files = files;
        listener.Start();
        _ = ServeAsync();
    }

    public string Url => $"http://{listener.LocalEndpoint}/";

    /// <summary>The requested file name and the first requested byte.</summary>
    public ConcurrentQueue<(string Name, int From)> Requests { get; } = [];

    public void Dispose() => listener.Dispose();

    private async Task ServeAsync()
    {
        while (true)
        {
            using var client = await listener.AcceptTcpClientAsync();
            using var stream = client.GetStream();
            using var lines = new StreamReader(stream);
            var name = (await lines.ReadLineAsync())!.Split(' ')[1][1..];
            var from = 0;
            while (await lines.ReadLineAsync() is { Length: > 0 } header)
                if (header.StartsWith("Range: bytes=", StringComparison.Ordinal))
                    from = int.Parse(header["Range: bytes=".Length..^1]);
            Requests.Enqueue((name, from));
            var rest = files[name].AsMemory(from);
            var status = from > 0 ? "206 Partial Content" : "200 OK";
            await stream.WriteAsync(
                Encoding.ASCII.GetBytes($"HTTP/1.1 {status}\r\nContent-Length: {rest.Length}\r\nConnection: close\r\n\r\n")
            );
            await stream.WriteAsync(rest[..Math.Max(1, rest.Length / 2)]);
        }
    }
}
