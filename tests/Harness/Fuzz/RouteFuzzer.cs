using System.Collections.Concurrent;
using System.Net;
using System.Text;
using System.Text.Json.Nodes;
using Temper.Domain;
using Temper.Harness.Chaos;

namespace Temper.Harness.Fuzz;

/// <summary>
/// Sends random requests to every operation that the API documents. The API must answer each, and never with a server error
/// except 503 with Retry-After while the database is unavailable. The fuzzer changes only its own jobs.
/// </summary>
public sealed class RouteFuzzer : IAsyncDisposable
{
    private const ulong Stream = 0xF022;

    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(50),
        PauseWhileDown = TimeSpan.FromMilliseconds(500),
        LongestAnswer = TimeSpan.FromSeconds(60);

    private readonly ApiSeat api;
    private readonly Violations violations;
    private readonly RequestMaker maker;
    private readonly IReadOnlyList<Operation> left;
    private readonly List<string> ids = [];
    private readonly ConcurrentDictionary<(string Operation, int Status), int> answers = new();
    private readonly HttpClient http = new(
        new SocketsHttpHandler { RequestHeaderEncodingSelector = (_, _) => Encoding.Latin1, AllowAutoRedirect = false }
    )
    {
        Timeout = LongestAnswer,
    };
    private int broken,
        closed,
        unsendable;

    private RouteFuzzer(long seed, IReadOnlyList<Operation> operations, ApiSeat api, Violations violations)
    {
        (this.api, this.violations) = (api, violations);
        left = [.. operations.Where(operation => !operation.TouchesOnlyItsOwn)];
        maker = new([.. operations.Where(operation => operation.TouchesOnlyItsOwn)], new SplitMix64(seed, Stream));
    }

    /// <summary>The number of answered requests by operation.</summary>
    public IReadOnlyDictionary<string, int> Answered =>
        answers.GroupBy(answer => answer.Key.Operation).ToDictionary(group => group.Key, group => group.Sum(answer => answer.Value));

    public static async Task<RouteFuzzer> CreateAsync(long seed, ApiSeat api, Violations violations)
    {
        using var http = new HttpClient { BaseAddress = api.Address };
        return new(seed, Operation.All(JsonNode.Parse(await http.GetStringAsync("/swagger/v1/swagger.json"))!), api, violations);
    }

    /// <summary>Sends requests until the time is up or <paramref name="end"/> completes.</summary>
    public async Task RunAsync(TimeSpan time, Task end)
    {
        using var timer = new CancellationTokenSource(time);
        await Task.WhenAll(LoopAsync(), LoopAsync());

        async Task LoopAsync()
        {
            while (!timer.IsCancellationRequested && !end.IsCompleted)
            {
                FuzzRequest request;
                lock (ids)
                    request = maker.Next(_ => ids);
                await Task.Delay(await SendAsync(request) ? Pause : PauseWhileDown);
            }
        }
    }

    /// <summary>
    /// Cancels the fuzzer's jobs that still wait or run, including those whose 202 was lost: all jobs without a key of the chaos
    /// run.
    /// </summary>
    public async Task CancelLeftoversAsync(ChaosDatabase database)
    {
        foreach (
            var id in await database.RowsAsync(
                "SELECT id FROM jobs WHERE finished_at IS NULL AND coalesce(idempotency_key, '') NOT LIKE 'chaos-%'"
            )
        )
            await SendAsync(new(new("POST", "/jobs/{id}/cancel", [], [], false), "POST", $"/jobs/{id}/cancel", [], null, false));
    }

    public void Describe(TextWriter text)
    {
        var statuses = answers
            .GroupBy(answer => answer.Key.Status)
            .OrderBy(group => group.Key)
            .Select(group => $"{group.Sum(answer => answer.Value)} × {group.Key}");
        text.WriteLine(
            $"{answers.Values.Sum()} random requests were answered meanwhile, over {Answered.Count} operations of the OpenAPI "
                + $"document: {string.Join(", ", statuses)}. {broken} connections broke while the API was being killed; {closed} "
                + $"that the API closed on a malformed header; {unsendable} requests the client itself would not send.\n"
        );
        if (left.Count > 0)
            text.WriteLine($"Left out, because they could change others' jobs: {string.Join(", ", left)}.\n");
    }

    public ValueTask DisposeAsync()
    {
        http.Dispose();
        return ValueTask.CompletedTask;
    }

    /// <returns>False when no answer came.</returns>
    private async Task<bool> SendAsync(FuzzRequest request)
    {
        var sent = DateTime.UtcNow;
        try
        {
            using var message = request.Message(api.Address);
            using var limit = new CancellationTokenSource(LongestAnswer);
            // A stream of events may never end, so only its headers are read.
            using var response = await http.SendAsync(message, HttpCompletionOption.ResponseHeadersRead, limit.Token);
            if (response.Content.Headers.ContentType?.MediaType != "text/event-stream")
                await response.Content.LoadIntoBufferAsync(limit.Token);
            await JudgeAsync(
                request,
                response,
                mayBeUnavailable: api.DatabaseAway.Touch(sent, DateTime.UtcNow) || api.WasDown(sent, DateTime.UtcNow)
            );
            return true;
        }
        catch (Exception e) when (e is HttpRequestException or TaskCanceledException or IOException)
        {
            if (api.WasDown(sent, DateTime.UtcNow))
                Interlocked.Increment(ref broken);
            else if (request.HasMalformedHeader)
            {
                Interlocked.Increment(ref closed);
                await CheckLiveAsync(after: request);
            }
            else
                violations.Add(Rule.ConnectionBrokenWhileTheApiWasUp, $"{e.Message} {e.InnerException?.Message}\n{request}");
            return false;
        }
        catch (Exception e)
            when (e is UriFormatException or FormatException or InvalidOperationException or NotSupportedException or ArgumentException)
        {
            Interlocked.Increment(ref unsendable);
            return true;
        }
    }

    private async Task CheckLiveAsync(FuzzRequest after)
    {
        var sent = DateTime.UtcNow;
        try
        {
            using var live = await http.GetAsync(new Uri(api.Address, "/health/live"));
            if (live.IsSuccessStatusCode)
                return;
        }
        catch (Exception e) when (e is HttpRequestException or TaskCanceledException)
        {
            // No answer.
        }
        if (!api.WasDown(sent, DateTime.UtcNow))
            violations.Add(Rule.ConnectionBrokenWhileTheApiWasUp, $"/health/live does not answer after\n{after}");
    }

    private async Task JudgeAsync(FuzzRequest request, HttpResponseMessage response, bool mayBeUnavailable)
    {
        var status = (int)response.StatusCode;
        answers.AddOrUpdate((request.Operation.ToString(), status), 1, (_, count) => count + 1);
        if (
            status >= 500
            && !(mayBeUnavailable && response.StatusCode == HttpStatusCode.ServiceUnavailable && response.Headers.RetryAfter is not null)
        )
            violations.Add(Rule.ServerError, $"{status} {await response.Content.ReadAsStringAsync()}\n{request}");
        if (response.StatusCode != HttpStatusCode.Accepted || request.Target.Split('?')[0] != "/jobs")
            return;
        var id = JsonNode.Parse(await response.Content.ReadAsStringAsync())!["id"]!.GetValue<string>();
        lock (ids)
            ids.Add(id);
    }
}
