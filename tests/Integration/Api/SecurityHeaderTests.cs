using System.Net;
using System.Text;
using Temper.Harness.Fuzz;

namespace Temper.Integration.Api;

/// <summary>Tests the headers that every answer has.</summary>
public class SecurityHeaderTests(ApiFixture fixture) : ApiTest(fixture)
{
    private const string NoPage = "default-src 'none'; frame-ancestors 'none'";

    [Fact]
    public async Task EveryOperationOfTheDocument_AnswersWithTheHeaders()
    {
        var id = await Api.SubmitAsync(Spec);
        var operations = Operation.All(await Api.GetAsync("/swagger/v1/swagger.json"));
        foreach (var operation in operations)
        foreach (var one in new[] { $"{id}", $"{Guid.NewGuid()}" })
        {
            using var request = new HttpRequestMessage(
                new(operation.Method),
                operation.Path.Replace("{id}", one).Replace("{name}", "none")
            );
            if (operation.TakesBody)
                request.Content = new StringContent("{}", Encoding.UTF8, operation.BodyType);

            await AssertSafeAsync(request);
        }
    }

    [Theory]
    [InlineData("GET", "/", 200)]
    [InlineData("GET", "/health/live", 200)]
    [InlineData("GET", "/health/ready", 200)]
    [InlineData("GET", "/hangfire", 200)]
    [InlineData("GET", "/hangfire/recurring", 200)]
    [InlineData("GET", "/hangfire/jobs/details/none", 404)]
    [InlineData("POST", "/hangfire/stats", 415)]
    [InlineData("GET", "/swagger", 301)]
    [InlineData("GET", "/swagger/index.html", 200)]
    [InlineData("GET", "/swagger/index.js", 200)]
    [InlineData("GET", "/swagger/swagger-ui.css", 200)]
    [InlineData("GET", "/swagger/none", 404)]
    [InlineData("GET", "/swagger/v1/swagger.json", 200)]
    [InlineData("GET", "/none", 404)]
    [InlineData("HEAD", "/jobs", 200)]
    [InlineData("PUT", "/jobs", 405)]
    [InlineData("POST", "/jobs", 415)]
    [InlineData("GET", "/jobs?limit=x", 400)]
    public async Task AnyPath_AnswersWithTheHeaders(string method, string path, int status)
    {
        using var request = new HttpRequestMessage(new(method), path);
        if (method == "POST")
            request.Content = new ByteArrayContent([]);

        var response = await AssertSafeAsync(request);

        Assert.Equal(status, (int)response.StatusCode);
    }

    [Fact]
    public async Task FilesOfTheDashboard_HaveTheHeaders()
    {
        var folder = Path.Combine(TemperProcess.BuildOf("Api"), "dashboard");
        if (!Directory.Exists(folder))
            return; // built without Node
        foreach (var file in Directory.EnumerateFiles(folder))
            await AssertSafeAsync(new(HttpMethod.Get, $"/{Path.GetFileName(file)}"));
    }

    [Fact]
    public async Task Answer_OfAnotherSitesRequestOrForAnotherHost_HasTheHeaders()
    {
        await AssertSafeAsync(new(HttpMethod.Post, "/jobs") { Headers = { { "Origin", "https://attacker.example" } } });
        await AssertSafeAsync(new(HttpMethod.Get, "/jobs") { Headers = { Host = "attacker.example" } });
    }

    /// <summary>A browser keeps answers with an ETag for itself, and a proxy keeps none.</summary>
    [Fact]
    public async Task Answer_WithAnETag_IsForItsClientOnlyAndAnotherIsNotStored()
    {
        var id = await Api.SubmitAsync(Spec);

        using var job = await Http.GetAsync($"/jobs/{id}");
        using var workers = await Http.GetAsync("/version");

        Assert.NotNull(job.Headers.ETag);
        Assert.True(job.Headers.CacheControl is { Private: true, NoCache: true, NoStore: false });
        Assert.True(workers.Headers.CacheControl is { NoStore: true });
    }

    [Fact]
    public async Task Answers_WithoutTheDatabase_HaveTheHeaders()
    {
        await using var api = ApiProcess.Start("Host=127.0.0.1;Port=1;Username=nobody;Database=none");
        await Eventually.TrueAsync(() => api.AnswersAsync("/health/live"));

        var response = await AssertSafeAsync(new(HttpMethod.Get, "/jobs"), api.Http);

        Assert.Equal(HttpStatusCode.ServiceUnavailable, response.StatusCode);
    }

    [Fact]
    public async Task Https_HasStrictTransportSecurityAndAHealthCheck_AndHttpHasNoSuchHeader()
    {
        await using var api = await ApiProcess.StartWithHttpsAsync(Database.ConnectionString);

        using var secure = await AssertSafeAsync(new(HttpMethod.Get, "/none"), api.Http);
        using var plain = await Http.GetAsync("/none");

        Assert.Equal("max-age=31536000", Assert.Single(secure.Headers.GetValues("Strict-Transport-Security")));
        Assert.False(plain.Headers.Contains("Strict-Transport-Security"));

        var port = api.Http.BaseAddress!.Port;
        var health = await ApiProcess.RunVerbAsync(Database.ConnectionString, "health", $"--urls=https://*:{port}");
        Assert.Equal(0, health.ExitCode);
    }

    private async Task<HttpResponseMessage> AssertSafeAsync(HttpRequestMessage request, HttpClient? http = null)
    {
        using var client = new HttpClient(
            new SocketsHttpHandler
            {
                AllowAutoRedirect = false,
                SslOptions = { RemoteCertificateValidationCallback = (_, _, _, _) => true },
            }
        )
        {
            BaseAddress = (http ?? Http).BaseAddress,
        };
        var response = await client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
        var headers = response.Headers;
        var what = $"{request.Method} {request.RequestUri} {(int)response.StatusCode}";
        Assert.True(headers.TryGetValues("X-Content-Type-Options", out var sniff) && sniff.Single() == "nosniff", what);
        Assert.True(headers.TryGetValues("Referrer-Policy", out var referrer) && referrer.Single() == "same-origin", what);
        Assert.True(headers.TryGetValues("Cross-Origin-Resource-Policy", out var resource) && resource.Single() == "same-origin", what);
        Assert.True(headers.CacheControl is { NoStore: true } or { NoCache: true } or { Private: true }, $"{what}: {headers.CacheControl}");
        Assert.False(headers.Contains("Server"), what);
        Assert.True(headers.TryGetValues("Content-Security-Policy", out var policies), what);
        var policy = Assert.Single(policies);
        if (response.Content.Headers.ContentType?.MediaType != "text/html")
            Assert.Equal(NoPage, policy);
        else
        {
            Assert.StartsWith("default-src 'none'; ", policy);
            Assert.Contains("frame-ancestors 'none'", policy);
            Assert.DoesNotContain("script-src 'unsafe", policy);
            Assert.Equal("same-origin", Assert.Single(headers.GetValues("Cross-Origin-Opener-Policy")));
            Assert.Contains("camera=()", Assert.Single(headers.GetValues("Permissions-Policy")));
        }
        return response;
    }
}
