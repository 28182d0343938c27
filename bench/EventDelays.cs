using System.Collections.Concurrent;
using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Temper.Domain.Jobs;
using Temper.Store.Queue;

namespace Temper.Bench;

/// <summary>
/// Measures the delay of events, from the commit of an epoch to its receipt by each of many open streams, the memory of a stream,
/// and the transactions that the API reads the database with.
/// </summary>
internal static class EventDelays
{
    private const int Jobs = 100;

    private static readonly TimeSpan Time = TimeSpan.FromSeconds(15);

    public static async Task RunAsync(int streams)
    {
        await using var database = await TestDatabase.CreateAsync();
        await using var api = await ApiProcess.StartAsync(
            database.ConnectionString,
            new Dictionary<string, string?> { ["Api__MaxStreams"] = "10000" }
        );
        Console.WriteLine($"# Streams of events\n\n{Machine.Describe()}; PostgreSQL, API, clients and writer on the same cores.\n");
        var queue = new JobQueue(database.DataSource);
        var worker = WorkerIdentity.Create("cpu", Jobs);
        await queue.HeartbeatAsync(worker, [], null, default);
        var jobs = new List<ClaimedJob>();
        for (var i = 0; i < Jobs; i++)
        {
            await api.SubmitAsync(
                new
                {
                    dataset = "digits",
                    epsilon = 0.1,
                    epochs = 10000,
                }
            );
            jobs.Add((await queue.ClaimAsync(worker.Id, false, default))!);
        }
        await using (var warm = await Streams.OpenAsync(api, 100, _ => $"/jobs/{jobs[0].Id}/events"))
            await MeasureAsync(database, queue, warm, [jobs[0]], 5, TimeSpan.FromSeconds(3));

        Console.WriteLine(
            $"{streams} streams. The writer reports epochs by the store's own statement; the delay is from its commit to the receipt "
                + $"by each stream that follows the job. {Time.TotalSeconds} s each.\n"
        );
        Console.WriteLine(
            "| streams follow | epochs/s | events received | median ms | p99 ms | largest ms | reads per epoch | KiB per stream |"
        );
        Console.WriteLine("|---|---|---|---|---|---|---|---|");
        await RowAsync($"{Jobs} jobs, {streams / Jobs} streams each", i => $"/jobs/{jobs[i % Jobs].Id}/events", jobs, 20);
        await RowAsync($"{Jobs} jobs, {streams / Jobs} streams each", i => $"/jobs/{jobs[i % Jobs].Id}/events", jobs, 100);
        await RowAsync("one job", _ => $"/jobs/{jobs[0].Id}/events", [jobs[0]], 2);
        await RowAsync("all jobs (`/events`)", _ => "/events", jobs, 2);

        async Task RowAsync(string what, Func<int, string> path, IReadOnlyList<ClaimedJob> written, int perSecond)
        {
            // A client that connects gets the epochs so far.
            await database.ExecuteAsync("DELETE FROM epochs");
            var before = Resident(api.Id);
            await using var open = await Streams.OpenAsync(api, streams, path);
            await Task.Delay(2000);
            var perStream = (Resident(api.Id) - before) / 1024.0 / streams;
            var (delays, reads, epochs) = await MeasureAsync(database, queue, open, written, perSecond, Time);
            Console.WriteLine(
                $"| {what} | {perSecond} | {delays.Count} | {delays.Median():F0} | {delays.Quantile(0.99):F0} | {delays.Max():F0} | "
                    + $"{(double)reads / epochs:F2} | {perStream:F1} |"
            );
        }
    }

    private static async Task<(List<double> Delays, long Reads, int Epochs)> MeasureAsync(
        TestDatabase database,
        JobQueue queue,
        Streams streams,
        IReadOnlyList<ClaimedJob> jobs,
        int perSecond,
        TimeSpan time
    )
    {
        var (committed, before, epoch) = (new Dictionary<int, long>(), await CommitsAsync(database), 0);
        streams.Received.Clear();
        using var timer = new PeriodicTimer(TimeSpan.FromSeconds(1.0 / perSecond));
        for (var clock = Stopwatch.StartNew(); clock.Elapsed < time && await timer.WaitForNextTickAsync(); )
        {
            epoch = ++lastEpoch;
            await queue.ReportAsync(
                jobs[epoch % jobs.Count],
                [new EpochMetrics(epoch, 0.7, 0.9, 0.2, 0.95, 0.05, -0.03, 0.001, 1.5, 2400)],
                null,
                default
            );
            committed[epoch] = Stopwatch.GetTimestamp();
        }
        var expected = (long)committed.Count * streams.Count / (streams.FollowJobs ? jobs.Count : 1);
        await Task.Delay(2000);
        var delays = streams
            .Received.Where(one => committed.ContainsKey(one.Epoch))
            .Select(one => Math.Max(0, Stopwatch.GetElapsedTime(committed[one.Epoch], one.At).TotalMilliseconds))
            .ToList();
        if (delays.Count < expected * 0.9)
            throw new InvalidOperationException($"{delays.Count} events came instead of {expected}.");
        return (delays, await CommitsAsync(database) - before - committed.Count, committed.Count);
    }

    private static int lastEpoch;

    private static async Task<long> CommitsAsync(TestDatabase database)
    {
        await Task.Delay(1200); // PostgreSQL counts a session's transactions with a delay of up to a second
        return await database.ScalarAsync<long>("SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()");
    }

    private static long Resident(int process) =>
        1024
        * long.Parse(
            File.ReadLines($"/proc/{process}/status")
                .Single(line => line.StartsWith("VmRSS:", StringComparison.Ordinal))
                .Split(' ', StringSplitOptions.RemoveEmptyEntries)[1]
        );

    /// <summary>Open streams, read by one socket each.</summary>
    private sealed class Streams : IAsyncDisposable
    {
        private static readonly byte[] Mark = Encoding.ASCII.GetBytes("\"epoch\":{\"epoch\":");

        private readonly List<Socket> sockets = [];
        private readonly List<Task> readers = [];

        public ConcurrentBag<(int Epoch, long At)> Received { get; } = [];

        public int Count => sockets.Count;

        /// <summary>Whether each stream follows one of the jobs.</summary>
        public bool FollowJobs { get; private init; }

        public static async Task<Streams> OpenAsync(ApiProcess api, int count, Func<int, string> path)
        {
            var streams = new Streams { FollowJobs = path(0) != "/events" };
            foreach (var batch in Enumerable.Range(0, count).Chunk(50))
                await Task.WhenAll(batch.Select(i => streams.OpenAsync(api.Http.BaseAddress!, path(i))));
            return streams;
        }

        public async ValueTask DisposeAsync()
        {
            foreach (var socket in sockets)
                socket.Dispose();
            await Task.WhenAll(readers);
            await Task.Delay(2000); // the API ends its side
        }

        private async Task OpenAsync(Uri address, string path)
        {
            var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
            await socket.ConnectAsync(IPAddress.Loopback, address.Port);
            await socket.SendAsync(Encoding.ASCII.GetBytes($"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n"));
            var begun = new TaskCompletionSource();
            lock (sockets)
            {
                sockets.Add(socket);
                readers.Add(ReadAsync(socket, begun));
            }
            await begun.Task;
        }

        /// <summary>Each event comes whole, in one chunk, with the end of the line after the epoch's number.</summary>
        private async Task ReadAsync(Socket socket, TaskCompletionSource begun)
        {
            var (buffer, kept) = (new byte[4096], 0);
            try
            {
                for (int read; (read = await socket.ReceiveAsync(buffer.AsMemory(kept))) > 0; )
                {
                    var at = Stopwatch.GetTimestamp();
                    var length = kept + read;
                    if (begun.TrySetResult() && !buffer.AsSpan(0, length).StartsWith("HTTP/1.1 200"u8))
                        throw new InvalidOperationException(Encoding.ASCII.GetString(buffer, 0, length));
                    kept = Find(buffer.AsSpan(0, length), at);
                    buffer.AsSpan(length - kept, kept).CopyTo(buffer);
                }
            }
            catch (Exception e) when (e is SocketException or ObjectDisposedException)
            {
                // The stream was closed here.
            }
        }

        /// <returns>Bytes at the end that may be the beginning of an event.</returns>
        private int Find(Span<byte> text, long at)
        {
            while (text.IndexOf(Mark) is >= 0 and var start)
            {
                var number = text[(start + Mark.Length)..];
                var end = number.IndexOf((byte)',');
                if (end < 0)
                    return text.Length - start;
                Received.Add((int.Parse(number[..end]), at));
                text = number[end..];
            }
            return Math.Min(text.Length, Mark.Length - 1);
        }
    }
}
