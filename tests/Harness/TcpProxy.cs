using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using Npgsql;

namespace Temper.Harness;

/// <summary>A proxy between a process and its database that can break and restore the connection.</summary>
public sealed class TcpProxy : IDisposable
{
    private readonly TcpListener listener = new(IPAddress.Loopback, 0);
    private readonly ConcurrentDictionary<TcpClient, bool> clients = new();
    private readonly NpgsqlConnectionStringBuilder target;
    private volatile bool cut;
    private volatile TaskCompletionSource silence = Over();

    public TcpProxy(string connectionString)
    {
        target = new(connectionString);
        listener.Start();
        _ = AcceptAsync();
    }

    /// <summary>Connects to the same database through this proxy.</summary>
    public string ConnectionString =>
        new NpgsqlConnectionStringBuilder(target.ConnectionString) { Port = ((IPEndPoint)listener.LocalEndpoint).Port }.ToString();

    /// <summary>Breaks every connection, and each new one until <see cref="Mend"/> is called.</summary>
    public void Cut()
    {
        cut = true;
        foreach (var client in clients.Keys)
            client.Close();
    }

    /// <summary>
    /// Keeps every connection open but forwards nothing until <see cref="Mend"/> is called, as a network does that drops packets.
    /// </summary>
    public void Silence() => silence = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public void Mend()
    {
        cut = false;
        silence.TrySetResult();
    }

    public void Dispose()
    {
        listener.Stop();
        Cut();
        silence.TrySetResult();
    }

    private async Task AcceptAsync()
    {
        try
        {
            while (true)
                _ = ForwardAsync(await listener.AcceptTcpClientAsync());
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // The listener was stopped.
        }
    }

    private static TaskCompletionSource Over()
    {
        var over = new TaskCompletionSource();
        over.SetResult();
        return over;
    }

    private async Task CopyAsync(Stream from, Stream to)
    {
        var buffer = new byte[1 << 16];
        for (int read; (read = await from.ReadAsync(buffer)) > 0; )
        {
            await silence.Task;
            await to.WriteAsync(buffer.AsMemory(0, read));
        }
    }

    private async Task ForwardAsync(TcpClient client)
    {
        using var server = new TcpClient();
        using (client)
        {
            try
            {
                if (cut)
                    return;
                clients[client] = clients[server] = true;
                await server.ConnectAsync(target.Host!, target.Port);
                await Task.WhenAny(CopyAsync(client.GetStream(), server.GetStream()), CopyAsync(server.GetStream(), client.GetStream()));
            }
            catch (Exception e) when (e is SocketException or IOException or ObjectDisposedException or InvalidOperationException)
            {
                // One side broke, so the other is closed too.
            }
            finally
            {
                clients.TryRemove(client, out _);
                clients.TryRemove(server, out _);
            }
        }
    }
}
