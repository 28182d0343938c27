using System.Collections.Concurrent;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Temper.Domain;

namespace Temper.Harness.Fuzz;

/// <summary>
/// Acts as one or two tenants: it sends valid and broken requests to every operation of the OpenAPI document, uses what answers
/// tell in later requests, and judges every answer. No answer may be a server error, the document must allow it, and it may not
/// contain an id or a name of the other tenant that the request did not contain. An administrator's requests about keys, tenants and
/// the audit are excepted from the last, because they are about the whole service.
/// </summary>
public sealed partial class TenantFuzzer : IDisposable
{
    private const ulong Stream = 0x7E4A;

    private static readonly string[] OfTheService = ["keys", "audit", "tenants"];

    private const int AtOnce = 4,
        ServerError = 500,
        Unavailable = 503;

    private const string IdLine = "id: ";

    private static readonly TimeSpan LongestAnswer = TimeSpan.FromSeconds(60),
        LongestWaitForAnEvent = TimeSpan.FromSeconds(0.2);

    private readonly IReadOnlyList<FuzzTenant> tenants;
    private readonly IReadOnlySet<Guid> workers;
    private readonly IReadOnlyList<Operation> operations;
    private readonly SplitMix64 random;
    private readonly RequestMaker maker;
    private readonly ValidRequests valid;
    private readonly DocumentedAnswers document;
    private readonly Lock gate = new();
    private readonly Dictionary<Guid, FuzzTenant> owners = [];
    private readonly ConcurrentDictionary<(string Operation, int Status), int> answers = new();
    private readonly ConcurrentDictionary<string, (int Count, string Example)> faults = new();
    private readonly HttpClient http;
    private int closed,
        unsendable;

    private TenantFuzzer(long seed, Uri api, JsonNode document, IReadOnlySet<Guid> workers, IReadOnlyList<FuzzTenant> tenants)
    {
        (this.tenants, this.workers) = (tenants, workers);
        this.document = new(document);
        random = new(seed, Stream);
        operations = Operation.All(document);
        maker = new(operations, new SplitMix64(seed, Stream + 1));
        valid = new(operations, random);
        http = new(
            new SocketsHttpHandler
            {
                RequestHeaderEncodingSelector = (_, _) => Encoding.Latin1,
                AllowAutoRedirect = false,
                UseCookies = false,
            }
        )
        {
            BaseAddress = api,
            Timeout = LongestAnswer,
        };
    }

    /// <summary>What was wrong, with the number of answers and the first of them with its request.</summary>
    public IReadOnlyDictionary<string, (int Count, string Example)> Faults => faults;

    /// <summary>The number of answers by operation and status.</summary>
    public IReadOnlyDictionary<(string Operation, int Status), int> Answers => answers;

    /// <param name="tenants">One or two.</param>
    public static async Task<TenantFuzzer> CreateAsync(long seed, Uri api, IReadOnlyList<FuzzTenant> tenants)
    {
        using var http = new HttpClient { BaseAddress = api };
        var document = JsonNode.Parse(await http.GetStringAsync("/swagger/v1/swagger.json"))!;
        http.DefaultRequestHeaders.Authorization = new("Bearer", tenants[0].Admin);
        // Each tenant sees the workers of its jobs, so that their ids are not another tenant's.
        var workers = JsonNode.Parse(await http.GetStringAsync("/workers"))!["items"]!.AsArray();
        return new(seed, api, document, workers.Select(worker => Guid.Parse($"{worker!["id"]}")).ToHashSet(), tenants);
    }

    /// <summary>
    /// Sends valid requests to every operation, as an administrator of each tenant until each has succeeded: about the latest thing
    /// that it made, in both orders of the operations so that the states come up in which they succeed, then about what was there at
    /// the start. Deletions come last.
    /// </summary>
    /// <returns>The operations that never succeeded.</returns>
    public async Task<IReadOnlyList<Operation>> CoverAsync()
    {
        var (deletions, others) = (operations.Where(IsDeletion).ToList(), operations.Where(operation => !IsDeletion(operation)).ToList());
        foreach (var tenant in tenants.TakeWhile(_ => Uncovered().Count > 0))
        {
            foreach (var operation in others.Concat(others.AsEnumerable().Reverse()).Concat(deletions))
                await TryAsync(tenant, operation, [.. tenant.Known(ValidRequests.KindOf(operation)).TakeLast(1)]);
            foreach (var operation in Uncovered().Except(deletions))
            foreach (var kept in tenant.Kept(ValidRequests.KindOf(operation)))
                await TryAsync(tenant, operation, [kept]);
        }
        return Uncovered();

        static bool IsDeletion(Operation operation) => operation.Method == "DELETE";

        async Task TryAsync(FuzzTenant tenant, Operation operation, IReadOnlyList<string> known)
        {
            FuzzRequest request;
            lock (gate)
                request = valid.Of(operation, tenant, _ => known);
            await SendAsync(tenant, WithKey(request, tenant.Admin));
        }
    }

    /// <summary>Sends so many requests, four at once, and follows the events of each tenant beside them.</summary>
    public async Task RunAsync(int requests)
    {
        var left = requests;
        using var end = new CancellationTokenSource();
        var streams = Task.WhenAll(tenants.Select(tenant => FollowAsync(tenant, end.Token)));
        await Task.WhenAll(Enumerable.Range(0, AtOnce).Select(_ => Task.Run(LoopAsync)));
        await end.CancelAsync();
        await streams;

        async Task LoopAsync()
        {
            while (Interlocked.Decrement(ref left) >= 0)
            {
                var (tenant, request) = Next();
                await SendAsync(tenant, request);
            }
        }
    }

    public string Summary()
    {
        var statuses = answers
            .GroupBy(answer => answer.Key.Status)
            .OrderBy(group => group.Key)
            .Select(group => $"{group.Sum(answer => answer.Value)} × {group.Key}");
        return $"{answers.Values.Sum()} answers; of {operations.Count} operations {operations.Count - Uncovered().Count} succeeded: "
            + $"{string.Join(", ", statuses)}; {closed} connections closed on a malformed header, {unsendable} requests that the client "
            + "would not send";
    }

    /// <summary>The summary, and each fault with its first example.</summary>
    public string Report() =>
        $"{Summary()}.\n"
        + string.Join("\n", faults.OrderBy(fault => fault.Key).Select(fault => $"{fault.Value.Count} × {fault.Key}"))
        + "\n\n"
        + string.Join("\n\n", faults.OrderBy(fault => fault.Key).Select(fault => $"{fault.Key}\n{fault.Value.Example}"));

    public void Dispose() => http.Dispose();

    private IReadOnlyList<Operation> Uncovered()
    {
        var succeeded = answers.Keys.Where(answer => answer.Status is >= 200 and < 300).Select(answer => answer.Operation).ToHashSet();
        return [.. operations.Where(operation => !succeeded.Contains($"{operation}"))];
    }

    private (FuzzTenant Tenant, FuzzRequest Request) Next()
    {
        lock (gate)
        {
            var tenant = tenants[random.NextInt32(tenants.Count)];
            var other = tenants.FirstOrDefault(one => one != tenant);
            var request =
                random.NextInt32(2) == 0
                    ? valid.Next(tenant, operation => Known(tenant, Owner(), operation))
                    : maker.Next(operation => Known(tenant, Owner(), operation));
            if (tenant.Keys[random.NextInt32(tenant.Keys.Count)] is { } key && !request.Headers.Any(IsAuthorization))
                request = WithKey(request, key);
            return (tenant, request);

            FuzzTenant Owner() => other is not null && random.NextInt32(4) == 0 ? other : tenant;
        }
    }

    private static FuzzRequest WithKey(FuzzRequest request, string key) =>
        request with
        {
            Headers = [.. request.Headers, ("Authorization", $"Bearer {key}")],
        };

    private static bool IsAuthorization((string Name, string Value) header) => header.Name is "Authorization" or "Cookie";

    /// <summary>What a request may name: half of the time what was there at the start, unless the tenant would change that.</summary>
    private IReadOnlyList<string> Known(FuzzTenant tenant, FuzzTenant owner, Operation operation)
    {
        var kind = ValidRequests.KindOf(operation);
        var removes = operation.Method is "DELETE" or "PUT" || operation.Path.EndsWith("/extend", StringComparison.Ordinal);
        return owner.Kept(kind) is { Count: > 0 } kept && !(removes && owner == tenant) && random.NextInt32(2) == 0
            ? kept
            : owner.Known(kind);
    }

    /// <summary>Reads the tenant's stream of events and looks for what belongs to the other.</summary>
    private async Task FollowAsync(FuzzTenant tenant, CancellationToken end)
    {
        List<(string, string)> headers = tenant.Keys[^1] is { } key ? [("Authorization", $"Bearer {key}")] : [];
        var request = new FuzzRequest(new("GET", "/events", [], [], TakesBody: false), "GET", "/events", headers, null, Chunked: false);
        try
        {
            using var message = request.Message(http.BaseAddress!);
            using var response = await http.SendAsync(message, HttpCompletionOption.ResponseHeadersRead, end);
            if (!response.IsSuccessStatusCode)
                Blame($"{request.Operation}: {(int)response.StatusCode}", await response.Content.ReadAsStringAsync(end));
            using var reader = new StreamReader(await response.Content.ReadAsStreamAsync(end));
            while (await reader.ReadLineAsync(end) is { } line)
            {
                if (line.StartsWith("data:", StringComparison.Ordinal))
                    answers.AddOrUpdate(("an event of GET /events", 200), 1, (_, count) => count + 1);
                if (line.StartsWith(IdLine, StringComparison.Ordinal))
                    lock (gate)
                        tenant.Learn("events", line[IdLine.Length..]);
                FindLeaks(tenant, request, response, 200, line);
            }
        }
        catch (OperationCanceledException) when (end.IsCancellationRequested)
        {
            // All requests are sent.
        }
    }

    private async Task SendAsync(FuzzTenant tenant, FuzzRequest request)
    {
        try
        {
            using var message = request.Message(http.BaseAddress!);
            using var response = await http.SendAsync(message, HttpCompletionOption.ResponseHeadersRead);
            var isStream = response.Content.Headers.ContentType?.MediaType == "text/event-stream";
            Judge(tenant, request, response, isStream ? null : await response.Content.ReadAsByteArrayAsync());
            if (isStream)
                FindLeaks(tenant, request, response, (int)response.StatusCode, await FirstEventAsync(response));
        }
        catch (Exception e) when (e is HttpRequestException or TaskCanceledException or IOException)
        {
            if (request.HasMalformedHeader)
                Interlocked.Increment(ref closed);
            else
                Blame($"{request.Operation}: no answer", $"{e.Message} {e.InnerException?.Message}\n{request}");
        }
        catch (Exception e)
            when (e is UriFormatException or FormatException or InvalidOperationException or NotSupportedException or ArgumentException)
        {
            Interlocked.Increment(ref unsendable);
        }
    }

    /// <returns>The stream up to the end of its first event, or what comes within 0.2 s.</returns>
    private static async Task<string> FirstEventAsync(HttpResponseMessage response)
    {
        using var end = new CancellationTokenSource(LongestWaitForAnEvent);
        var (text, isEvent) = (new StringBuilder(), false);
        try
        {
            using var reader = new StreamReader(await response.Content.ReadAsStreamAsync(end.Token));
            while (await reader.ReadLineAsync(end.Token) is { } line && !(isEvent && line.Length == 0))
            {
                isEvent |= line.StartsWith("data:", StringComparison.Ordinal);
                text.AppendLine(line);
            }
        }
        catch (OperationCanceledException) when (end.IsCancellationRequested)
        {
            // Nothing happens to that job or study.
        }
        return $"{text}";
    }

    private void Judge(FuzzTenant tenant, FuzzRequest request, HttpResponseMessage response, byte[]? body)
    {
        var (status, type) = ((int)response.StatusCode, response.Content.Headers.ContentType?.MediaType);
        answers.AddOrUpdate((request.Operation.ToString(), status), 1, (_, count) => count + 1);
        var text = body is null ? "" : Encoding.UTF8.GetString(body);
        if (status >= ServerError && !(status == Unavailable && response.Headers.RetryAfter is not null))
            Blame($"{request.Operation}: {status}", $"{text}\n{request}");
        else if (document.Mismatch(request, status, type, body) is { } mismatch)
            Blame($"{request.Operation}: {mismatch}", $"{text}\n{request}");
        if (type is not null && !response.Headers.Contains("Content-Security-Policy"))
            Blame($"{request.Operation}: {status} without security headers", $"{request}");
        FindLeaks(tenant, request, response, status, text);
        if (status is >= 200 and < 300 && type == "application/json")
            Learn(tenant, request, text);
    }

    /// <summary>An answer names nothing of the other tenant, and a request about the other's things is never accepted.</summary>
    private void FindLeaks(FuzzTenant tenant, FuzzRequest request, HttpResponseMessage response, int status, string text)
    {
        if (tenants.FirstOrDefault(one => one != tenant) is not { } other || IsForAdmins(tenant, request))
            return;
        var sent = request.ToString() + Uri.UnescapeDataString(request.Target) + Encoding.UTF8.GetString(request.Body ?? []);
        var seen = $"{response.Headers}{response.Content.Headers}{text}";
        if (
            seen.Contains(other.Marker, StringComparison.OrdinalIgnoreCase)
            && !sent.Contains(other.Marker, StringComparison.OrdinalIgnoreCase)
        )
            Blame($"{request.Operation}: shows a name of the other tenant", $"{seen}\n{request}");
        // The path may have an id in any of the forms that .NET reads.
        var parts = request.Target.Split('?')[0].Split('/');
        var named = parts.Select(part => IdIn(Uri.UnescapeDataString(part))).FirstOrDefault(id => id is not null);
        lock (gate)
        {
            foreach (var id in Id().Matches(seen).Select(match => Guid.Parse(match.Value)).Where(id => !workers.Contains(id)))
                if (
                    id != named
                    && !sent.Contains($"{id}", StringComparison.OrdinalIgnoreCase)
                    && !owners.TryAdd(id, tenant)
                    && owners[id] == other
                )
                    Blame($"{request.Operation}: shows an id of the other tenant", $"{id} in {seen}\n{request}");
            if (named is { } one && owners.GetValueOrDefault(one) == other && status is < 400 or 409 or 412)
                Blame($"{request.Operation}: {status} about a thing of the other tenant", $"{seen}\n{request}");
        }
    }

    private static bool IsForAdmins(FuzzTenant tenant, FuzzRequest request) =>
        OfTheService.Contains(ValidRequests.KindOf(request.Operation))
        && request.Headers.Contains(("Authorization", $"Bearer {tenant.Admin}"));

    private static Guid? IdIn(string text) => Guid.TryParse(text, out var id) ? id : null;

    /// <summary>Keeps the ids and names of the things in an answer, for later requests.</summary>
    private void Learn(FuzzTenant tenant, FuzzRequest request, string text)
    {
        if (request.Method == "HEAD" || JsonNode.Parse(text) is not JsonObject root)
            return;
        var kind = ValidRequests.KindOf(request.Operation);
        var isOne = request.Operation.Path.Split('/').Length <= 3;
        lock (gate)
            foreach (var thing in Things())
                if (isOne && Name(thing) is { } name && (kind != "datasets" || name.Contains(tenant.Marker, StringComparison.Ordinal)))
                    tenant.Learn(kind, name);

        // Of keys only new ones, so that the fuzzer revokes none of its own.
        IEnumerable<JsonObject> Things() =>
            kind == "keys" ? (root["key"] is JsonObject made ? [made] : [])
            : root["items"] is JsonArray items ? items.OfType<JsonObject>()
            : [root];

        string? Name(JsonObject thing) =>
            (kind == "datasets" ? thing["name"] : thing["id"]) is { } value && value.GetValueKind() == JsonValueKind.String
                ? value.GetValue<string>()
                : null;
    }

    private void Blame(string what, string example) =>
        faults.AddOrUpdate(what, (1, example), (_, fault) => (fault.Count + 1, fault.Example));

    [GeneratedRegex("[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", RegexOptions.IgnoreCase)]
    private static partial Regex Id();
}
