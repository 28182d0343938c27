using System.Net;
using System.Net.Http.Headers;

namespace Temper.Integration.Api;

public class SecurityTests : IAsyncLifetime
{
    private const string Key = "a-secret-of-some-length";

    private TestDatabase database = null!;

    public async Task InitializeAsync() => database = await TestDatabase.CreateAsync();

    public async Task DisposeAsync() => await database.DisposeAsync();

    [Fact]
    public async Task Request_WhereKeysAreSet_NeedsOneOfThem()
    {
        await using var api = await ApiProcess.StartAsync(
            database.ConnectionString,
            new Dictionary<string, string?> { ["Api__Keys__0"] = "another-key-of-some-length", ["Api__Keys__1"] = Key }
        );

        Assert.Equal(HttpStatusCode.Unauthorized, await StatusAsync(api, "/jobs", null));
        Assert.Equal(HttpStatusCode.Unauthorized, await StatusAsync(api, "/workers", new("Bearer", "wrong")));
        Assert.Equal(HttpStatusCode.Unauthorized, await StatusAsync(api, "/jobs", new("Basic", Key)));
        Assert.Equal(HttpStatusCode.Unauthorized, await StatusAsync(api, "/jobs", new("Bearer", Key + "x")));
        Assert.Equal(HttpStatusCode.OK, await StatusAsync(api, "/jobs", new("Bearer", Key)));
        Assert.Equal(HttpStatusCode.OK, await StatusAsync(api, "/jobs", new("Bearer", "another-key-of-some-length")));
        Assert.Equal(HttpStatusCode.OK, await StatusAsync(api, "/hangfire", new("Bearer", Key)));
        Assert.Equal(HttpStatusCode.Unauthorized, await StatusAsync(api, "/hangfire", null));
        Assert.Equal(HttpStatusCode.OK, await StatusAsync(api, "/health/ready", null));
        Assert.Equal(HttpStatusCode.OK, await StatusAsync(api, "/swagger/v1/swagger.json", null));
    }

    [Theory]
    [InlineData("http://0.0.0.0")]
    [InlineData("http://[::]")]
    [InlineData("http://*")]
    public async Task Start_OnEveryAddressWithoutKeys_IsRefused(string host)
    {
        await using var api = ApiProcess.Start(
            database.ConnectionString,
            new Dictionary<string, string?> { ["ASPNETCORE_URLS"] = $"{host}:{ApiProcess.FreePort()}" }
        );

        await api.WaitForExitAsync(TimeSpan.FromSeconds(30));

        Assert.NotEqual(0, api.ExitCode);
        Assert.Contains("Without keys the API serves only this machine", api.Output);
    }

    [Fact]
    public async Task Start_OnEveryAddressWithAKey_Serves()
    {
        var port = ApiProcess.FreePort();
        await using var api = await ApiProcess.StartAsync(
            database.ConnectionString,
            new Dictionary<string, string?> { ["ASPNETCORE_URLS"] = $"http://0.0.0.0:{port}", ["Api__Keys__0"] = Key },
            new($"http://127.0.0.1:{port}")
        );

        Assert.True(await api.AnswersAsync("/health/ready"));
    }

    [Fact]
    public async Task Start_WithAShortKey_IsRefused()
    {
        await using var api = ApiProcess.Start(database.ConnectionString, new Dictionary<string, string?> { ["Api__Keys__0"] = "short" });

        await api.WaitForExitAsync(TimeSpan.FromSeconds(30));

        Assert.NotEqual(0, api.ExitCode);
    }

    [Fact]
    public async Task Request_ForAnotherHostName_IsRefusedWithoutKeys()
    {
        await using var api = await ApiProcess.StartAsync(database.ConnectionString);
        var request = new HttpRequestMessage(HttpMethod.Get, "/jobs") { Headers = { Host = "attacker.example" } };

        var response = await api.Http.SendAsync(request);

        Assert.Equal(HttpStatusCode.BadRequest, response.StatusCode);
        Assert.Equal("application/problem+json", response.Content.Headers.ContentType?.MediaType);
        Assert.Contains("localhost", await response.Content.ReadAsStringAsync());
    }

    private static async Task<HttpStatusCode> StatusAsync(ApiProcess api, string path, AuthenticationHeaderValue? authorization)
    {
        var response = await api.Http.SendAsync(new(HttpMethod.Get, path) { Headers = { Authorization = authorization } });
        return response.StatusCode;
    }
}
