using System.Net;

namespace Temper.Integration.Api;

public class RequestLimitTests
{
    [Fact]
    public async Task Requests_BeyondTheLimitOfAKey_Are429AndLeaveAnotherKeyServed()
    {
        await using var database = await TestDatabase.CreateAsync();
        var (busy, other) = (await database.MakeKeyAsync("busy"), await database.MakeKeyAsync("other"));
        await using var api = await ApiProcess.StartAsync(
            database.ConnectionString,
            new Dictionary<string, string?>
            {
                ["Api__RequestsPerMinute"] = "4",
                ["Api__RefusedPerMinute"] = "3",
                ["ASPNETCORE_FORWARDEDHEADERS_ENABLED"] = "true",
            }
        );

        var first = await GetAsync(busy);
        Assert.Equal(HttpStatusCode.OK, first.StatusCode);
        Assert.Equal("\"key\";q=4;w=60", Field(first, "RateLimit-Policy"));
        Assert.Equal("\"key\";r=3;t=15", Field(first, "RateLimit"));
        var answers = await Task.WhenAll(Enumerable.Range(0, 20).Select(_ => GetAsync(busy)));
        var refused = answers.First(answer => answer.StatusCode == HttpStatusCode.TooManyRequests);
        Assert.Equal(15, refused.Headers.RetryAfter!.Delta!.Value.TotalSeconds);
        Assert.Equal("\"key\";r=0;t=60", Field(refused, "RateLimit"));
        Assert.Contains("A key may send 4 requests a minute.", await refused.Content.ReadAsStringAsync());
        Assert.Equal(HttpStatusCode.OK, (await GetAsync(other)).StatusCode);

        // A network whose wrong keys are too many still gets in with a right one.
        var wrong = await Task.WhenAll(Enumerable.Range(0, 20).Select(i => GetAsync("wrong", $"2001:db8::{i}")));
        Assert.Contains(wrong, answer => answer.StatusCode == HttpStatusCode.Unauthorized);
        var tooMany = wrong.First(answer => answer.StatusCode == HttpStatusCode.TooManyRequests);
        Assert.Equal("\"address\";q=3;w=60", Field(tooMany, "RateLimit-Policy"));
        Assert.NotNull(tooMany.Headers.RetryAfter);
        Assert.Equal(HttpStatusCode.OK, (await GetAsync(other, "2001:db8::1")).StatusCode);
        var open = await Task.WhenAll(Enumerable.Range(0, 5).Select(i => GetAsync("wrong", $"2001:db8::{i}", "/session")));
        Assert.Contains(open, answer => answer.StatusCode == HttpStatusCode.TooManyRequests);
        Assert.Equal(HttpStatusCode.Unauthorized, (await GetAsync("wrong", "2001:db8:0:1::1")).StatusCode);
        Assert.InRange(api.Output.Split("The key is wrong.").Length - 1, 1, 6);

        Task<HttpResponseMessage> GetAsync(string key, string address = "127.0.0.1", string path = "/version")
        {
            var request = new HttpRequestMessage(HttpMethod.Get, path) { Headers = { Authorization = new("Bearer", key) } };
            request.Headers.Add("X-Forwarded-For", address);
            return api.Http.SendAsync(request);
        }

        static string Field(HttpResponseMessage answer, string name) => Assert.Single(answer.Headers.GetValues(name));
    }

    [Theory]
    [InlineData("Api__RequestsPerMinute", "0")]
    [InlineData("Api__RefusedPerMinute", "0")]
    [InlineData("Oidc__Authority", "http://issuer.example")]
    public async Task Setting_OutOfRange_StopsTheStart(string name, string value)
    {
        await using var api = ApiProcess.Start(
            "Host=127.0.0.1;Port=1;Username=nobody;Database=none",
            new Dictionary<string, string?> { [name] = value }
        );

        await api.WaitForExitAsync(TimeSpan.FromSeconds(30));

        Assert.NotEqual(0, api.ExitCode);
        Assert.Contains(name.Replace("__", ":"), api.Output);
    }
}
