using System.Net;
using System.Text.Json.Nodes;

namespace Temper.Integration.Api;

/// <summary>An API that accepts the tokens of an issuer, and has no keys.</summary>
public sealed class ApiOfAnIssuer : IAsyncLifetime
{
    public TokenIssuer Issuer { get; private set; } = null!;

    public TestDatabase Database { get; private set; } = null!;

    public ApiProcess Api { get; private set; } = null!;

    public async Task InitializeAsync()
    {
        (Issuer, Database) = (await TokenIssuer.StartAsync(), await TestDatabase.CreateAsync());
        var port = ApiProcess.FreePort();
        Api = await ApiProcess.StartAsync(
            Database.ConnectionString,
            new Dictionary<string, string?>
            {
                ["Oidc__Authority"] = Issuer.Address,
                ["Oidc__Audience"] = "temper",
                ["ASPNETCORE_URLS"] = $"http://0.0.0.0:{port}", // the issuer allows it without keys
            },
            new($"http://127.0.0.1:{port}")
        );
    }

    public async Task DisposeAsync()
    {
        await Api.DisposeAsync();
        await Issuer.DisposeAsync();
        await Database.DisposeAsync();
    }
}

public class OidcTests(ApiOfAnIssuer served) : IClassFixture<ApiOfAnIssuer>
{
    private const string Claim = "claim",
        Header = "header";

    [Fact]
    public async Task Token_OfTheIssuer_OpensWhatItsScopesSay()
    {
        var token = served.Issuer.Token();

        Assert.Equal(HttpStatusCode.OK, (await SendAsync(HttpMethod.Get, "/jobs", token)).StatusCode);
        Assert.Equal(HttpStatusCode.UnsupportedMediaType, (await SendAsync(HttpMethod.Post, "/studies", token)).StatusCode); // no body
        Assert.Equal(HttpStatusCode.Forbidden, (await SendAsync(HttpMethod.Get, "/keys", token)).StatusCode);
        Assert.Equal(HttpStatusCode.Unauthorized, (await SendAsync(HttpMethod.Get, "/jobs", null)).StatusCode);
        Assert.Equal(
            """{"required":true,"signedIn":true,"name":"ann@example.org","tenant":"birds","scopes":["read","submit"]}""",
            await (await SendAsync(HttpMethod.Get, "/session", token)).Content.ReadAsStringAsync()
        );
        Assert.Equal("ann@example.org", await served.Database.ScalarAsync<string>("SELECT actor FROM audit WHERE status = 403"));
    }

    [Fact]
    public async Task Key_BesideTheIssuer_OpensToo()
    {
        var key = await served.Database.MakeKeyAsync();

        Assert.Equal(HttpStatusCode.OK, (await SendAsync(HttpMethod.Get, "/keys", key)).StatusCode);
    }

    [Theory]
    [InlineData(Claim, "aud", "another", "The token is for another audience.")]
    [InlineData(Claim, "aud", null, "The token is for another audience.")]
    [InlineData(Claim, "iss", "http://issuer.example", "The token is of another issuer.")]
    [InlineData(Claim, "exp", 1_700_000_000, "The token has expired.")]
    [InlineData(Claim, "exp", null, "The token is not valid.")]
    [InlineData(Claim, "nbf", 4_000_000_000L, "The token is not valid.")]
    [InlineData(Claim, "tenant", null, "The token has no valid claim tenant.")]
    [InlineData(Claim, "tenant", "A B", "The token has no valid claim tenant.")]
    [InlineData(Claim, "sub", null, "The token has no valid claim sub.")]
    [InlineData(Claim, "sub", "ann\0", "The token has no valid claim sub.")]
    [InlineData(Header, "alg", "none", "The token is not valid.")]
    [InlineData(Header, "alg", "HS256", "The token is not valid.")]
    [InlineData(Header, "kid", "two", "The token is not valid.")]
    [InlineData(Header, "typ", "secevent+jwt", "The token is not valid.")]
    public async Task Token_ThatIsWrong_Is401(string part, string name, object? value, string title)
    {
        var changes = new Dictionary<string, object?> { [name] = value };
        var token = part == Claim ? served.Issuer.Token(changes) : served.Issuer.Token(header: changes, isSigned: value is not "none");

        var answer = await SendAsync(HttpMethod.Get, "/jobs", token);

        Assert.Equal(HttpStatusCode.Unauthorized, answer.StatusCode);
        Assert.Equal(title, JsonNode.Parse(await answer.Content.ReadAsStringAsync())!["title"]!.GetValue<string>());
        Assert.DoesNotContain(token[^20..], served.Api.Output);
    }

    [Fact]
    public async Task Token_WithAChangedBody_Is401()
    {
        var (token, other) = (served.Issuer.Token(), served.Issuer.Token(new() { ["scope"] = "admin" }));
        var forged = $"{string.Join('.', other.Split('.')[..2])}.{token.Split('.')[2]}";

        Assert.Equal(HttpStatusCode.Unauthorized, (await SendAsync(HttpMethod.Get, "/jobs", forged)).StatusCode);
    }

    [Fact]
    public async Task Token_WhileTheIssuerDoesNotAnswer_Is503AndCountsAsNoRefusal()
    {
        var issuer = await TokenIssuer.StartAsync();
        var token = issuer.Token();
        await issuer.DisposeAsync();
        await using var api = await ApiProcess.StartAsync(
            served.Database.ConnectionString,
            new Dictionary<string, string?>
            {
                ["Oidc__Authority"] = issuer.Address,
                ["Oidc__Audience"] = "temper",
                ["Api__RefusedPerMinute"] = "1",
            }
        );

        foreach (var path in new[] { "/jobs", "/jobs", "/session" })
        {
            var answer = await api.Http.SendAsync(new(HttpMethod.Get, path) { Headers = { Authorization = new("Bearer", token) } });
            Assert.Equal(HttpStatusCode.ServiceUnavailable, answer.StatusCode);
            Assert.NotNull(answer.Headers.RetryAfter);
        }

        Assert.Contains($"The metadata of the issuer {issuer.Address} cannot be read", api.Output);
    }

    private Task<HttpResponseMessage> SendAsync(HttpMethod method, string path, string? token)
    {
        var request = new HttpRequestMessage(method, path);
        if (token is not null)
            request.Headers.Authorization = new("Bearer", token);
        return served.Api.Http.SendAsync(request);
    }
}
