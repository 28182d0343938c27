using System.Net;
using System.Net.Http.Headers;
using System.Text.Json;
using System.Text.Json.Nodes;
using Polly;
using Polly.Retry;

namespace Temper.Cli.Http;

/// <summary>The service that TEMPER_URL names, http://localhost:5080 when it is not set; TEMPER_KEY is the key to it.</summary>
internal sealed class Service : IDisposable
{
    /// <summary>
    /// Until the head of the answer has come. A request may send 24 MiB of images at the slowest rate that the service takes, and a
    /// report may wait a minute for its turn. An upload may be 4 GiB at that rate.
    /// </summary>
    private static readonly TimeSpan LongestConnect = TimeSpan.FromSeconds(10),
        LongestRequest = TimeSpan.FromMinutes(5),
        LongestUpload = TimeSpan.FromHours(6);

    private readonly HttpClient http;

    /// <summary>
    /// Sends a request up to four times. Every request may be repeated: submissions carry an Idempotency-Key, and the verbs do
    /// nothing the second time.
    /// </summary>
    private readonly ResiliencePipeline<HttpResponseMessage> retries = new ResiliencePipelineBuilder<HttpResponseMessage>()
        .AddRetry(
            new RetryStrategyOptions<HttpResponseMessage>
            {
                ShouldHandle = new PredicateBuilder<HttpResponseMessage>()
                    .Handle<HttpRequestException>()
                    .HandleResult(answer => answer.StatusCode is HttpStatusCode.TooManyRequests or HttpStatusCode.ServiceUnavailable),
                MaxRetryAttempts = 3,
                Delay = TimeSpan.FromSeconds(0.25),
                BackoffType = DelayBackoffType.Exponential,
                DelayGenerator = retry => ValueTask.FromResult(retry.Outcome.Result?.Headers.RetryAfter?.Delta),
            }
        )
        .Build();

    /// <exception cref="UsageException">TEMPER_URL is not an http or https address.</exception>
    public Service()
    {
        var url = Environment.GetEnvironmentVariable("TEMPER_URL") is { Length: > 0 } set ? set : "http://localhost:5080";
        if (!Uri.TryCreate(url.TrimEnd('/') + "/", UriKind.Absolute, out var address) || !address.Scheme.StartsWith("http"))
            throw new UsageException($"TEMPER_URL must be an address such as http://localhost:5080; it is {url}");
        // A redirect is not followed: it would send the key to another place.
        var handler = new SocketsHttpHandler { AllowAutoRedirect = false, ConnectTimeout = LongestConnect };
        http = new(handler) { BaseAddress = address, Timeout = Timeout.InfiniteTimeSpan };
        if (Environment.GetEnvironmentVariable("TEMPER_KEY") is { Length: > 0 } key)
            http.DefaultRequestHeaders.Authorization = new("Bearer", key);
    }

    public Task<JsonNode> GetAsync(string path, CancellationToken cancellation) => ReadAsync(() => new(HttpMethod.Get, path), cancellation);

    public async Task DeleteAsync(string path, CancellationToken cancellation)
    {
        using var answer = await OpenAsync(() => new(HttpMethod.Delete, path), cancellation);
    }

    public Task<JsonNode> PutAsync(string path, JsonNode body, CancellationToken cancellation) =>
        ReadAsync(
            () =>
                new(HttpMethod.Put, path)
                {
                    Content = new StringContent(body.ToJsonString(), new MediaTypeHeaderValue("application/json")),
                },
            cancellation
        );

    /// <param name="body">Null sends no body.</param>
    public Task<JsonNode> PostAsync(string path, JsonNode? body, CancellationToken cancellation)
    {
        var key = Guid.NewGuid().ToString();
        return ReadAsync(
            () =>
            {
                var request = new HttpRequestMessage(HttpMethod.Post, path);
                if (body is null)
                    return request;
                request.Headers.Add("Idempotency-Key", key);
                request.Content = new StringContent(body.ToJsonString(), new MediaTypeHeaderValue("application/json"));
                return request;
            },
            cancellation
        );
    }

    /// <summary>Sends a file as the body. The service may refuse it before it is sent.</summary>
    /// <exception cref="IOException">The file cannot be read.</exception>
    public async Task<JsonNode> PostFileAsync(string path, string file, CancellationToken cancellation)
    {
        var key = Guid.NewGuid().ToString();
        using var answer = await OpenAsync(
            () =>
            {
                var request = new HttpRequestMessage(HttpMethod.Post, path) { Content = new StreamContent(File.OpenRead(file)) };
                request.Headers.Add("Idempotency-Key", key);
                request.Headers.ExpectContinue = true;
                request.Content.Headers.ContentType = new("application/octet-stream");
                return request;
            },
            LongestUpload,
            cancellation
        );
        return await JsonOfAsync(answer, cancellation);
    }

    /// <summary>Sends a request and returns when the head of the answer has come.</summary>
    /// <returns>A 2xx or a 304.</returns>
    /// <exception cref="RefusedException">The service answered 4xx.</exception>
    /// <exception cref="UnreachableException">No answer came, a 5xx, or a redirect.</exception>
    public Task<HttpResponseMessage> OpenAsync(Func<HttpRequestMessage> request, CancellationToken cancellation) =>
        OpenAsync(request, LongestRequest, cancellation);

    /// <param name="longest">How long one try may take.</param>
    private async Task<HttpResponseMessage> OpenAsync(Func<HttpRequestMessage> request, TimeSpan longest, CancellationToken cancellation)
    {
        try
        {
            var answer = await retries.ExecuteAsync(async token => await SendAsync(request(), longest, token), cancellation);
            if (answer.IsSuccessStatusCode || answer.StatusCode == HttpStatusCode.NotModified)
                return answer;
            using (answer)
                throw await ErrorOfAsync(answer, cancellation);
        }
        catch (HttpRequestException e)
        {
            throw new UnreachableException($"{http.BaseAddress} does not answer: {e.Message}", e);
        }
    }

    private async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, TimeSpan longest, CancellationToken cancellation)
    {
        using (request) // with the file that it sends
        {
            using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
            limit.CancelAfter(longest);
            try
            {
                return await http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, limit.Token);
            }
            catch (OperationCanceledException e) when (!cancellation.IsCancellationRequested)
            {
                var waited = limit.IsCancellationRequested ? longest : LongestConnect;
                throw new UnreachableException($"{http.BaseAddress} does not answer in {waited.TotalSeconds} s.", e);
            }
        }
    }

    /// <exception cref="UnreachableException">The answer broke off, or is not JSON.</exception>
    public async Task<JsonNode> JsonOfAsync(HttpResponseMessage answer, CancellationToken cancellation)
    {
        try
        {
            return JsonNode.Parse(await Body.TextOfAsync(answer, cancellation)) ?? throw new JsonException();
        }
        catch (JsonException e)
        {
            throw new UnreachableException($"{http.BaseAddress} gave no complete JSON. Is it a Temper service?", e);
        }
    }

    /// <param name="body">Makes the body anew for each try.</param>
    public Task<JsonNode> PostContentAsync(string path, Func<HttpContent> body, CancellationToken cancellation) =>
        ReadAsync(() => new(HttpMethod.Post, path) { Content = body() }, cancellation);

    public void Dispose() => http.Dispose();

    private async Task<JsonNode> ReadAsync(Func<HttpRequestMessage> request, CancellationToken cancellation)
    {
        using var answer = await OpenAsync(request, cancellation);
        return await JsonOfAsync(answer, cancellation);
    }

    private async Task<Exception> ErrorOfAsync(HttpResponseMessage answer, CancellationToken cancellation)
    {
        var text = await Body.TextOfAsync(answer, cancellation);
        var status = (int)answer.StatusCode;
        return status is >= 400 and < 500
            ? new RefusedException(status, text, answer.ReasonPhrase)
            : new UnreachableException($"{http.BaseAddress} answers {status}: {new Problem(text, answer.ReasonPhrase).Message}");
    }
}
