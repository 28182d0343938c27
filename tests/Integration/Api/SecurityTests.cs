using System.Net;
using System.Net.Http.Headers;
using System.Net.Sockets;
using Temper.Store.Keys;

namespace Temper.Integration.Api;

public class SecurityTests : IAsyncLifetime
{
    private TestDatabase database = null!;

    public async Task InitializeAsync() => database = await TestDatabase.CreateAsync();

    public async Task DisposeAsync() => await database.DisposeAsync();

    [Fact]
    public async Task Request_WhereAKeyIsMade_NeedsAValidOne()
    {
        await using var api = await ApiProcess.StartAsync(database.ConnectionString);
        Assert.Equal(HttpStatusCode.OK, await StatusAsync(api, "/jobs", null));

        var key = await database.MakeKeyAsync(); // without a restart

        Assert.Equal(HttpStatusCode.Unauthorized, await StatusAsync(api, "/jobs", null));
        Assert.Equal(HttpStatusCode.Unauthorized, await StatusAsync(api, "/workers", new("Bearer", "wrong")));
        Assert.Equal(HttpStatusCode.Unauthorized, await StatusAsync(api, "/jobs", new("Basic", key)));
        Assert.Equal(HttpStatusCode.Unauthorized, await StatusAsync(api, "/jobs", new("Bearer", key + "x")));
        Assert.Equal(HttpStatusCode.Unauthorized, await StatusAsync(api, "/jobs", new("Bearer", key[..^1] + (key[^1] == 'A' ? 'Q' : 'A'))));
        Assert.Equal(HttpStatusCode.OK, await StatusAsync(api, "/jobs", new("Bearer", key)));
        Assert.Equal(HttpStatusCode.OK, await StatusAsync(api, "/hangfire", new("Bearer", key)));
        Assert.Equal(HttpStatusCode.Unauthorized, await StatusAsync(api, "/hangfire", null));
        Assert.Equal(HttpStatusCode.Unauthorized, await StatusAsync(api, "/no/such/route", null));
        Assert.Equal(HttpStatusCode.OK, await StatusAsync(api, "/health/ready", null));
        Assert.Equal(HttpStatusCode.OK, await StatusAsync(api, "/swagger/v1/swagger.json", null));
        await database.ExecuteAsync("UPDATE keys SET revoked_at = now()");
        Assert.Equal(HttpStatusCode.Unauthorized, await StatusAsync(api, "/jobs", null)); // a revoked key is a key too
        Assert.DoesNotContain(key[12..], api.Output);
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
        Assert.Contains("Temper.Api keys create", api.Output);
    }

    [Fact]
    public async Task Start_OnEveryAddressWithAKey_Serves()
    {
        var port = ApiProcess.FreePort();
        await database.MakeKeyAsync();
        await using var api = await ApiProcess.StartAsync(
            database.ConnectionString,
            new Dictionary<string, string?> { ["ASPNETCORE_URLS"] = $"http://0.0.0.0:{port}" },
            new($"http://127.0.0.1:{port}")
        );

        Assert.True(await api.AnswersAsync("/health/ready"));
        Assert.Equal(HttpStatusCode.Unauthorized, await StatusAsync(api, "/jobs", null));
        await database.ExecuteAsync("DELETE FROM keys"); // as by hand
        Assert.Equal(HttpStatusCode.Unauthorized, await StatusAsync(api, "/jobs", null));
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

    [Fact]
    public async Task Request_WithoutAHost_IsRefusedWithoutKeys()
    {
        await using var api = await ApiProcess.StartAsync(database.ConnectionString);
        using var socket = new TcpClient();
        await socket.ConnectAsync(api.Http.BaseAddress!.Host, api.Http.BaseAddress.Port);

        await socket.GetStream().WriteAsync("GET /jobs HTTP/1.0\r\n\r\n"u8.ToArray());

        Assert.StartsWith("HTTP/1.1 400", await new StreamReader(socket.GetStream()).ReadLineAsync());
    }

    /// <summary>A proxy of this machine connects from loopback, and may ask for a local host name.</summary>
    [Theory]
    [InlineData("false")]
    [InlineData("true")]
    public async Task Request_ThroughAProxy_IsRefusedWithoutKeys(string isTrusted)
    {
        await using var api = await ApiProcess.StartAsync(
            database.ConnectionString,
            new Dictionary<string, string?> { ["ASPNETCORE_FORWARDEDHEADERS_ENABLED"] = isTrusted }
        );

        foreach (var header in new[] { "Forwarded: for=192.0.2.1", "X-Forwarded-For: 127.0.0.1", "x-forwarded-proto: https", "Via: 1.1 a" })
        {
            var request = new HttpRequestMessage(HttpMethod.Get, "/jobs");
            request.Headers.TryAddWithoutValidation(header.Split(": ")[0], header.Split(": ")[1]);

            var response = await api.Http.SendAsync(request);

            Assert.Equal((header, HttpStatusCode.Forbidden), (header, response.StatusCode));
            Assert.Contains("keys create", await response.Content.ReadAsStringAsync());
        }
    }

    private static async Task<HttpStatusCode> StatusAsync(ApiProcess api, string path, AuthenticationHeaderValue? authorization)
    {
        var response = await api.Http.SendAsync(new(HttpMethod.Get, path) { Headers = { Authorization = authorization } });
        return response.StatusCode;
    }

    /// <summary>Every test searches what its processes printed for secrets. By default the path of a request is not logged.</summary>
    [Fact]
    public async Task Process_ThatPrintsAKey_FailsItsTest()
    {
        var api = await ApiProcess.StartAsync(
            database.ConnectionString,
            new Dictionary<string, string?> { ["Logging__LogLevel__Microsoft.AspNetCore.Hosting.Diagnostics"] = "Information" }
        );
        await api.Http.GetAsync($"/version?key={KeyText.New()}");

        var failure = await Assert.ThrowsAsync<InvalidOperationException>(async () => await api.DisposeAsync());

        Assert.Contains("printed a secret", failure.Message);
    }
}
