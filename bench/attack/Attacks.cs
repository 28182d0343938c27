using System.Collections.Concurrent;
using System.Diagnostics;
using System.Net.Sockets;
using System.Security.Authentication;

namespace Temper.Bench.Attack;

/// <summary>
/// Runs floods against an API of its own each. Beside each flood a client reads `GET /jobs`; afterwards the API must answer again.
/// </summary>
internal static class Attacks
{
    private const int Jobs = 50;

    private static readonly TimeSpan Calm = TimeSpan.FromSeconds(3),
        Rest = TimeSpan.FromMilliseconds(20),
        LongestAnswer = TimeSpan.FromSeconds(30);

    private static readonly Attack[] All = [.. HeaderFloods.All, .. SlowFloods.All, .. Http2Floods.All, .. BodyFloods.All];

    public static IReadOnlyList<string> Parts { get; } = [.. All.Select(attack => attack.Part).Distinct()];

    /// <param name="only">The part; null for all.</param>
    /// <returns>The exit code: 1 when the API did not answer after an attack.</returns>
    public static async Task<int> RunAsync(bool quick, string? only)
    {
        await using var database = await TestDatabase.CreateAsync();
        var time = TimeSpan.FromSeconds(quick ? 5 : 15);
        Console.WriteLine($"{Machine.Describe()}; the attackers, the client, PostgreSQL and the API on the same cores.");
        var failed = false;
        foreach (var part in Parts.Where(part => only is null || part == only))
        {
            Console.WriteLine(
                $"\n## {part}\n\n`bench/attack/run --only {part}`; {time.TotalSeconds} s each.\n\n"
                    + "| attack | attackers | what became of them | sent MiB | client: requests | median ms | p99 ms | largest ms | "
                    + "failed | API: CPU s | peak MiB (before) | afterwards |\n|---|---|---|---|---|---|---|---|---|---|---|---|"
            );
            foreach (var https in All.Where(attack => attack.Part == part).Select(attack => attack.Https).Distinct())
            {
                await using var api = https
                    ? await ApiProcess.StartWithHttpsAsync(database.ConnectionString)
                    : await ApiProcess.StartAsync(database.ConnectionString);
                for (var i = 0; i < Jobs; i++)
                    await api.SubmitAsync(
                        new
                        {
                            dataset = "mnist",
                            epsilon = 0.1,
                            epochs = 1,
                        }
                    );
                var none = new Attack(part, "none", 0, (_, _) => Task.FromResult(""), https);
                await MeasureAsync(none, api, Calm);
                failed |= !await MeasureAsync(none, api, Calm); // the second is warm
                foreach (var attack in All.Where(attack => attack.Part == part && attack.Https == https))
                    failed |= !await MeasureAsync(attack, api, time);
                if (api.HasExited)
                    Console.WriteLine($"\nThe API ended: {api.Output[^Math.Min(2000, api.Output.Length)..]}");
            }
        }
        return failed ? 1 : 0;
    }

    /// <returns>Whether the API answers afterwards.</returns>
    private static async Task<bool> MeasureAsync(Attack attack, ApiProcess api, TimeSpan time)
    {
        var victim = new Victim(api, attack.Https);
        attack.Before?.Invoke();
        var before = PeakMemory.Reset(api.Id);
        var cpu = Cpu(api.Id);
        var ends = new ConcurrentDictionary<string, int>();
        using var end = new CancellationTokenSource(time);
        var attackers = Enumerable.Range(0, attack.Attackers).Select(_ => Task.Run(() => RepeatAsync(attack, victim, ends, end.Token)));
        var all = Task.WhenAll(attackers.ToArray());
        var (times, failures) = await ReadListAsync(api.Http.BaseAddress!, end.Token);
        await all;
        var used = Cpu(api.Id) - cpu;
        var peak = api.HasExited ? 0 : PeakMemory.Of(api.Id);
        var afterwards = await AnswersAsync(api.Http.BaseAddress!);
        var shown = string.Join(", ", ends.OrderByDescending(one => one.Value).Take(4).Select(one => $"{one.Value} × {one.Key}"));
        var streams = victim.Streams > 0 ? $"; {victim.Streams} streams" : "";
        Console.WriteLine(
            $"| {attack.Name} | {attack.Attackers} | {shown}{streams} | {victim.Sent / 1048576.0:F1} | {times.Count} | "
                + $"{At(times, 0.5)} | {At(times, 0.99)} | {At(times, 1)} | {failures} | {used.TotalSeconds:F1} | "
                + $"{peak >> 20} ({before >> 20}) | {(afterwards ? "answers" : "**no answer**")} |"
        );
        return afterwards;
    }

    private static async Task RepeatAsync(Attack attack, Victim victim, ConcurrentDictionary<string, int> ends, CancellationToken end)
    {
        while (!end.IsCancellationRequested)
        {
            string became;
            try
            {
                became = await attack.RunAsync(victim, end);
            }
            catch (Exception e) when (end.IsCancellationRequested && e is OperationCanceledException or ObjectDisposedException)
            {
                became = "open at the end";
            }
            catch (Exception e)
                when (e is IOException or SocketException or HttpRequestException or AuthenticationException or OperationCanceledException)
            {
                became =
                    e.InnerException is SocketException socket ? $"{socket.SocketErrorCode}"
                    : e is SocketException { SocketErrorCode: var code } ? $"{code}"
                    : e.GetType().Name;
                await Task.Delay(Rest, CancellationToken.None);
            }
            ends.AddOrUpdate(became, 1, (_, count) => count + 1);
        }
    }

    /// <returns>Milliseconds of each answer, and the number of requests without an answer 200.</returns>
    private static async Task<(List<double> Times, int Failures)> ReadListAsync(Uri address, CancellationToken end)
    {
        using var http = Client(address);
        var (times, failures) = (new List<double>(), 0);
        while (!end.IsCancellationRequested)
        {
            var start = Stopwatch.GetTimestamp();
            try
            {
                using var answer = await http.GetAsync("/jobs", CancellationToken.None);
                if (!answer.IsSuccessStatusCode)
                    failures++;
            }
            catch (Exception e) when (e is HttpRequestException or TaskCanceledException)
            {
                failures++;
            }
            times.Add(Stopwatch.GetElapsedTime(start).TotalMilliseconds);
            await Task.Delay(Rest, CancellationToken.None);
        }
        return (times, failures);
    }

    private static async Task<bool> AnswersAsync(Uri address)
    {
        using var http = Client(address); // with a connection of its own
        try
        {
            using var answer = await http.GetAsync("/jobs");
            return answer.IsSuccessStatusCode;
        }
        catch (Exception e) when (e is HttpRequestException or TaskCanceledException)
        {
            return false;
        }
    }

    private static HttpClient Client(Uri address) =>
        new(new SocketsHttpHandler { SslOptions = { RemoteCertificateValidationCallback = (_, _, _, _) => true } })
        {
            BaseAddress = address,
            Timeout = LongestAnswer,
        };

    private static TimeSpan Cpu(int process)
    {
        try
        {
            using var api = Process.GetProcessById(process);
            return api.TotalProcessorTime;
        }
        catch (ArgumentException)
        {
            return TimeSpan.Zero; // it has ended
        }
    }

    private static string At(List<double> times, double share) =>
        times.Count == 0 ? "" : $"{times.Order().ElementAt((int)(share * (times.Count - 1))):F1}";
}
