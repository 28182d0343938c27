using System.Net;
using System.Text;
using System.Text.Json.Nodes;

namespace Temper.Harness.Chaos;

/// <summary>
/// A user's script that follows the documentation: every submission has a key, and the client sends it again until it is
/// answered.
/// </summary>
public sealed class CarefulClient(Uri api, Violations violations)
{
    private static readonly TimeSpan LongestWait = TimeSpan.FromSeconds(20),
        RetryDelay = TimeSpan.FromMilliseconds(500),
        LongestEffort = TimeSpan.FromMinutes(3);

    private readonly HttpClient http = new() { BaseAddress = api, Timeout = LongestWait };

    public int Retries { get; private set; }

    /// <returns>Null when the API refused the submission, which is a violation.</returns>
    public async Task<Guid?> SubmitAsync(JsonObject spec, string key)
    {
        var (status, body) = await SendAsync(() =>
            new(HttpMethod.Post, "/jobs")
            {
                Content = new StringContent(spec.ToJsonString(), Encoding.UTF8, "application/json"),
                Headers = { { "Idempotency-Key", key } },
            }
        );
        if (status == HttpStatusCode.Accepted)
            return JsonNode.Parse(body)!["id"]!.GetValue<Guid>();
        violations.Add(Rule.SubmissionRefused, $"{key}: {(int)status} {body}");
        return null;
    }

    public async Task<JsonNode> GetAsync(string path)
    {
        var (status, body) = await SendAsync(() => new(HttpMethod.Get, path));
        return status == HttpStatusCode.OK
            ? JsonNode.Parse(body)!
            : throw new InvalidOperationException($"GET {path}: {(int)status} {body}");
    }

    /// <summary>Sends the request again after a temporary failure: a broken connection, a missing answer, 429 or 503.</summary>
    private async Task<(HttpStatusCode Status, string Body)> SendAsync(Func<HttpRequestMessage> request)
    {
        for (var start = DateTime.UtcNow; ; Retries++)
        {
            var wait = RetryDelay;
            try
            {
                using var response = await http.SendAsync(request());
                var body = await response.Content.ReadAsStringAsync();
                if (response.StatusCode is not (HttpStatusCode.ServiceUnavailable or HttpStatusCode.TooManyRequests))
                    return (response.StatusCode, body);
                if (DateTime.UtcNow - start > LongestEffort)
                    return (response.StatusCode, body);
                wait = response.Headers.RetryAfter?.Delta ?? RetryDelay;
            }
            catch (Exception e)
                when (e is HttpRequestException or TaskCanceledException or IOException && DateTime.UtcNow - start < LongestEffort)
            {
                // The API is restarting, or the database is slow to answer.
            }
            await Task.Delay(wait);
        }
    }
}
