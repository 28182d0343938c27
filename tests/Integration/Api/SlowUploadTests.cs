using System.Net.Sockets;
using System.Text;

namespace Temper.Integration.Api;

public class SlowUploadTests(ApiFixture fixture) : OwnJobsTest(fixture)
{
    private const int Length = 400_000,
        PieceLength = 800;

    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(100);

    /// <summary>
    /// 8 KB/s is more than other bodies need. Without an answer the whole body would take 50 s, and then the answer is another one.
    /// </summary>
    [Fact]
    public async Task Post_AFileThatArrivesTooSlowly_Is408()
    {
        var job = (await StoreOfEachKindAsync()).Job;
        await Task.WhenAll(new[] { "/datasets?name=slow", "/evaluations", $"/jobs/{job}/predict" }.Select(SendSlowlyAsync));
    }

    private async Task SendSlowlyAsync(string path)
    {
        using var socket = new Socket(SocketType.Stream, ProtocolType.Tcp);
        await socket.ConnectAsync(Http.BaseAddress!.Host, Http.BaseAddress.Port);
        await socket.SendAsync(
            Encoding.ASCII.GetBytes(
                $"POST {path} HTTP/1.1\r\nHost: {Http.BaseAddress.Authority}\r\nContent-Type: application/octet-stream\r\n"
                    + $"Content-Length: {Length}\r\n\r\n"
            )
        );
        var answer = ReceiveAsync(socket);

        var piece = new byte[PieceLength];
        "PK\x03\x04"u8.CopyTo(piece);
        for (var sent = 0; sent < Length && !answer.IsCompleted; sent += piece.Length)
        {
            await socket.SendAsync(piece);
            await Task.WhenAny(answer, Task.Delay(Pause));
        }

        var text = await answer;
        Assert.StartsWith("HTTP/1.1 408", text);
        Assert.Contains("A file must arrive with 256 KiB/s or more", text);
    }

    private static async Task<string> ReceiveAsync(Socket socket)
    {
        var answer = new byte[4096];
        return Encoding.UTF8.GetString(answer, 0, await socket.ReceiveAsync(answer));
    }
}
