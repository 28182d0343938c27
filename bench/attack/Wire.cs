using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Text;

namespace Temper.Bench.Attack;

/// <summary>A connection to the API on which an attacker sends any bytes.</summary>
internal sealed class Wire : IAsyncDisposable
{
    private readonly Victim victim;
    private readonly Socket socket;
    private readonly Stream stream;

    private Wire(Victim victim, Socket socket, Stream stream) => (this.victim, this.socket, this.stream) = (victim, socket, stream);

    /// <param name="smallBuffer">Whether the system keeps only a few KiB of what the API sends.</param>
    public static async Task<Wire> OpenAsync(Victim victim, CancellationToken end, bool smallBuffer = false)
    {
        var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        if (smallBuffer)
            socket.ReceiveBufferSize = 4096;
        try
        {
            await socket.ConnectAsync(victim.Address.Host, victim.Address.Port, end);
            Stream stream = new NetworkStream(socket);
            if (victim.Https)
            {
                var secure = new SslStream(stream);
                await secure.AuthenticateAsClientAsync(
                    new SslClientAuthenticationOptions
                    {
                        TargetHost = victim.Address.Host,
                        ApplicationProtocols = [SslApplicationProtocol.Http2],
                        RemoteCertificateValidationCallback = (_, _, _, _) => true,
                        EnabledSslProtocols = SslProtocols.Tls12 | SslProtocols.Tls13,
                    },
                    end
                );
                stream = secure;
            }
            return new(victim, socket, stream);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    public async Task SendAsync(byte[] bytes, CancellationToken end)
    {
        await stream.WriteAsync(bytes, end);
        await stream.FlushAsync(end);
        victim.CountBytes(bytes.Length);
    }

    public Task SendAsync(string text, CancellationToken end) => SendAsync(Encoding.Latin1.GetBytes(text), end);

    /// <returns>Null when the API has closed the connection.</returns>
    public async Task<byte[]?> ReadAsync(CancellationToken end)
    {
        var buffer = new byte[16 << 10];
        var read = await stream.ReadAsync(buffer, end);
        return read == 0 ? null : buffer[..read];
    }

    /// <returns>The status line of the answer, or "closed".</returns>
    public async Task<string> StatusAsync(CancellationToken end) =>
        await ReadAsync(end) is { } bytes ? Encoding.Latin1.GetString(bytes).Split("\r\n")[0] : "closed";

    public ValueTask DisposeAsync()
    {
        // A reset: the API's side must not wait for the rest.
        socket.LingerState = new(true, 0);
        socket.Dispose();
        return ValueTask.CompletedTask;
    }
}
