using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json.Nodes;
using Hangfire.Common;
using Hangfire.PostgreSql;
using Hangfire.States;
using Temper.Harness.Fuzz;
using Temper.Store.Engine;
using Temper.Store.Keys;

namespace Temper.Integration.Api;

/// <summary>Two API processes on one database with keys.</summary>
public sealed class KeyedApis : IAsyncLifetime
{
    /// <summary>The key of alice, with the scope `admin`.</summary>
    public string Key { get; private set; } = null!;

    public KeyStore Keys { get; private set; } = null!;

    public TestDatabase Database { get; private set; } = null!;

    public ApiProcess Api { get; private set; } = null!;

    public ApiProcess Other { get; private set; } = null!;

    /// <summary>Clients that keep no cookies and follow no redirects.</summary>
    public HttpClient Http { get; private set; } = null!;

    public HttpClient OtherHttp { get; private set; } = null!;

    public async Task InitializeAsync()
    {
        Database = await TestDatabase.CreateAsync();
        Keys = new(Database.DataSource, Database.DataSource);
        Key = await Database.MakeKeyAsync("alice");
        Api = await StartAsync(("ASPNETCORE_FORWARDEDHEADERS_ENABLED", "true"));
        Other = await StartAsync();
        (Http, OtherHttp) = (Client(Api), Client(Other));
    }

    public async Task DisposeAsync()
    {
        await Api.DisposeAsync();
        await Other.DisposeAsync();
        await Database.DisposeAsync();
    }

    private static HttpClient Client(ApiProcess api) =>
        new(new SocketsHttpHandler { UseCookies = false, AllowAutoRedirect = false }) { BaseAddress = api.Http.BaseAddress };

    private Task<ApiProcess> StartAsync(params (string Name, string Value)[] settings) =>
        ApiProcess.StartAsync(Database.ConnectionString, settings.ToDictionary(one => one.Name, one => (string?)one.Value));
}

/// <summary>Tests the sessions of browsers. Each test signs in from an address of its own, because tries are limited.</summary>
public class SessionTests(KeyedApis apis) : IClassFixture<KeyedApis>
{
    private static int addresses;

    private readonly string address = $"203.0.113.{Interlocked.Increment(ref addresses)}";

    [Fact]
    public async Task Session_OfABrowser_OpensEveryRouteInEveryProcess()
    {
        var cookie = await SignInAsync();
        var operations = Operation.All(await apis.Api.GetAsync("/swagger/v1/swagger.json")).Where(one => one.Path != "/session").ToList();
        Assert.Contains(operations, one => one.Method == "DELETE");

        foreach (var http in new[] { apis.Http, apis.OtherHttp })
        foreach (var operation in operations)
        {
            Assert.Equal(HttpStatusCode.Unauthorized, (await SendAsync(http, operation, null)).StatusCode);
            var answer = await SendAsync(http, operation, cookie);
            Assert.True(
                answer.StatusCode != HttpStatusCode.Unauthorized && (int)answer.StatusCode < 500,
                $"{operation}: {answer.StatusCode}"
            );
        }
    }

    [Fact]
    public async Task SignIn_WithAForm_AnswersWhoItIs()
    {
        var answer = await PostAsync(new FormUrlEncodedContent([KeyValuePair.Create("key", apis.Key)]));

        const string alice =
            """{"required":true,"signedIn":true,"name":"alice","tenant":"default","scopes":["read","submit","operate","admin"]}""";
        Assert.Equal(alice, await answer.Content.ReadAsStringAsync());
        Assert.Equal(
            """{"required":true,"signedIn":false,"name":null,"tenant":null,"scopes":[]}""",
            await apis.Http.GetStringAsync("/session")
        );
        Assert.Equal(alice, (await SessionAsync(CookieIn(answer))).ToJsonString());
        var bob = await apis.Database.MakeKeyAsync("bob", "birds", Scope.Operate);
        Assert.Equal(
            """{"required":true,"signedIn":true,"name":"bob","tenant":"birds","scopes":["read","operate"]}""",
            (await SessionAsync(await SignInAsync(bob))).ToJsonString()
        );
    }

    [Theory]
    [InlineData("http", false)]
    [InlineData("https", true)]
    public async Task Cookie_IsHiddenFromScriptsAndOtherSites(string scheme, bool secure)
    {
        var answer = await PostAsync(JsonContent.Create(new { key = apis.Key }), ("X-Forwarded-Proto", scheme));

        var cookie = Assert.Single(answer.Headers.GetValues("Set-Cookie"));
        Assert.StartsWith(secure ? "__Host-temper_session=" : "temper_session=", cookie);
        var flags = cookie.Split("; ").Skip(1).ToArray();
        Assert.Equal(secure, flags.Contains("secure"));
        Assert.Equal(["httponly", "max-age=43200", "path=/", "samesite=strict"], flags.Where(flag => flag != "secure").Order());
        Assert.DoesNotContain(apis.Key, cookie);
        Assert.Equal("no-store", answer.Headers.CacheControl!.ToString());
    }

    [Theory]
    [InlineData(-1, false)]
    [InlineData(60, true)]
    public async Task Cookie_CountsUntilItsEndOnly(int secondsLeft, bool counts)
    {
        var cookie = await CookieAsync(secondsLeft);

        Assert.Equal(counts, (await SessionAsync(cookie))["signedIn"]!.GetValue<bool>());
        await SignInAsync(); // removes the sessions that are over
        var digest = Convert.ToHexString(KeyText.DigestOf(cookie));
        Assert.Equal(
            counts,
            await apis.Database.ScalarAsync<bool>($"SELECT EXISTS (SELECT FROM sessions WHERE digest = decode('{digest}', 'hex'))")
        );
    }

    /// <summary>An idle stream asks every 15 s, and so does one that still sends what its client has missed.</summary>
    [Fact]
    public async Task Stream_OfASessionThatEndsOrAKeyThatIsRevoked_EndsWithIt()
    {
        const int epochs = 50_000; // more than the buffers between the server and a client that does not read hold
        var missed = $"/jobs/{await EndedJobAsync(epochs)}/events";
        var key = await apis.Database.MakeKeyAsync("dora", scopes: Scope.Read);
        using var idle = await OpenAsync(OfKey("/events"));
        using var behind = await OpenAsync(OfKey(missed));
        var cookie = await CookieAsync(secondsLeft: 5);
        using var idleOfSession = await OpenAsync(Request(HttpMethod.Get, "/events", cookie));
        using var behindOfSession = await OpenAsync(Request(HttpMethod.Get, missed, cookie));

        await apis.Keys.RevokeAsync(await KeyAsync("dora"));
        var due = Task.Delay(TimeSpan.FromSeconds(16));

        foreach (var text in await Task.WhenAll(RestAsync(idle), RestAsync(idleOfSession)))
            Assert.Equal("", text.Replace(": heartbeat\n\n", ""));
        await due;
        foreach (var text in await Task.WhenAll(RestAsync(behind), RestAsync(behindOfSession)))
            Assert.InRange(text.Split("event: epoch\n").Length - 1, 1, epochs - 1);

        HttpRequestMessage OfKey(string path)
        {
            var request = new HttpRequestMessage(HttpMethod.Get, path);
            request.Headers.Authorization = new("Bearer", key);
            return request;
        }

        async Task<HttpResponseMessage> OpenAsync(HttpRequestMessage request)
        {
            var stream = await apis.Http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
            Assert.Equal(HttpStatusCode.OK, stream.StatusCode);
            return stream;
        }

        static Task<string> RestAsync(HttpResponseMessage stream) => stream.Content.ReadAsStringAsync().WaitAsync(TimeSpan.FromSeconds(60));
    }

    /// <summary>A cancelled job with epochs that were never trained.</summary>
    private async Task<Guid> EndedJobAsync(int epochs)
    {
        var submit = new HttpRequestMessage(HttpMethod.Post, "/jobs")
        {
            Content = JsonContent.Create(
                new
                {
                    dataset = "digits",
                    epsilon = 0.1,
                    epochs = 1,
                }
            ),
        };
        submit.Headers.Authorization = new("Bearer", apis.Key);
        var id = (await (await apis.Http.SendAsync(submit)).Content.ReadFromJsonAsync<JsonNode>())!["id"]!.GetValue<Guid>();
        await apis.Database.ExecuteAsync($"UPDATE jobs SET state = 'cancelled', finished_at = now() WHERE id = '{id}'");
        await apis.Database.ExecuteAsync(
            $"""
            INSERT INTO epochs (job_id, epoch, attempt, train_loss, train_accuracy, validation_loss, validation_accuracy, ece, signed_gap,
                                learning_rate, seconds, images_per_second)
            SELECT '{id}', e, 1, 1.0 / e, 0.5, 1.0 / e, 0.5, 0.1, 0, 0.001, 1, 1000 FROM generate_series(1, {epochs}) e
            """
        );
        return id;
    }

    [Fact]
    public async Task Stream_OfAKeyThatExpiresInAYear_Opens()
    {
        var request = new HttpRequestMessage(HttpMethod.Get, "/events");
        request.Headers.Authorization = new("Bearer", await apis.Database.MakeKeyAsync("erna", scopes: Scope.Read));
        await apis.Database.ExecuteAsync("UPDATE keys SET expires_at = now() + interval '1 year' WHERE name = 'erna'");

        using var stream = await apis.Http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);

        Assert.Equal(HttpStatusCode.OK, stream.StatusCode);
    }

    [Theory]
    [InlineData("")]
    [InlineData(".")]
    [InlineData("1.2.3")]
    [InlineData("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")]
    public async Task Cookie_ThatNoSignInMade_IsRefused(string cookie) =>
        Assert.Equal(HttpStatusCode.Unauthorized, (await GetAsync(apis.Http, "/jobs", cookie)).StatusCode);

    [Fact]
    public async Task Session_EndsWithItsKeyInEveryProcess()
    {
        var cookie = await SignInAsync(await apis.Database.MakeKeyAsync("carol", scopes: Scope.Read));
        var id = await KeyAsync("carol");
        Assert.Equal(HttpStatusCode.OK, (await GetAsync(apis.OtherHttp, "/jobs", cookie)).StatusCode);
        // Even where the session's row stays.
        await apis.Database.ExecuteAsync($"UPDATE keys SET revoked_at = now() WHERE id = '{id}'");
        Assert.Equal(HttpStatusCode.Unauthorized, (await GetAsync(apis.OtherHttp, "/jobs", cookie)).StatusCode);

        await apis.Keys.RevokeAsync(id);

        Assert.Equal(HttpStatusCode.Unauthorized, (await GetAsync(apis.Http, "/jobs", cookie)).StatusCode);
        Assert.Equal(0, await apis.Database.ScalarAsync<long>($"SELECT count(*) FROM sessions WHERE key_id = '{id}'"));
    }

    /// <summary>The secret of a cookie is no key, and a key is no secret of a cookie.</summary>
    [Fact]
    public async Task Cookie_AndKey_DoNotStandForEachOther()
    {
        var asKey = Request(HttpMethod.Get, "/jobs", null);
        asKey.Headers.Authorization = new("Bearer", await SignInAsync());

        Assert.Equal(HttpStatusCode.Unauthorized, (await apis.Http.SendAsync(asKey)).StatusCode);
        Assert.Equal(HttpStatusCode.Unauthorized, (await GetAsync(apis.Http, "/jobs", apis.Key)).StatusCode);
    }

    [Fact]
    public async Task SignOut_EndsTheSessionInEveryProcessAndDeletesTheCookie()
    {
        var cookie = await SignInAsync();

        var answer = await apis.Http.SendAsync(Request(HttpMethod.Delete, "/session", cookie));

        Assert.Equal(HttpStatusCode.NoContent, answer.StatusCode);
        Assert.StartsWith("temper_session=; expires=Thu, 01 Jan 1970", Assert.Single(answer.Headers.GetValues("Set-Cookie")));
        Assert.Equal(HttpStatusCode.Unauthorized, (await GetAsync(apis.OtherHttp, "/jobs", cookie)).StatusCode);
        Assert.Equal(HttpStatusCode.NoContent, (await apis.Http.SendAsync(Request(HttpMethod.Delete, "/session", cookie))).StatusCode);
    }

    [Theory]
    [InlineData("POST", "cross-site", HttpStatusCode.Forbidden)]
    [InlineData("POST", "same-site", HttpStatusCode.Forbidden)]
    [InlineData("POST", "same-origin", HttpStatusCode.NotFound)]
    [InlineData("GET", "same-site", HttpStatusCode.Unauthorized)]
    [InlineData("GET", "same-origin", HttpStatusCode.NotFound)]
    public async Task Request_ByCookie_CountsForPagesOfThisHostOnly(string method, string site, HttpStatusCode expected)
    {
        var path = $"/jobs/{Guid.NewGuid()}{(method == "POST" ? "/cancel" : "")}";
        var request = Request(new(method), path, await SignInAsync());
        request.Headers.Add("Sec-Fetch-Site", site);

        Assert.Equal(expected, (await apis.Http.SendAsync(request)).StatusCode);
    }

    /// <summary>A key that the request names itself is the one that counts.</summary>
    [Fact]
    public async Task Request_WithAWrongKeyBesideTheCookie_IsRefused()
    {
        var request = Request(HttpMethod.Get, "/jobs", await SignInAsync());
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", "wrong");

        Assert.Equal(HttpStatusCode.Unauthorized, (await apis.Http.SendAsync(request)).StatusCode);
    }

    [Fact]
    public async Task SignIn_WithAWrongKey_Is401AndAfterTenTries429()
    {
        const string wrong = "a-wrong-secret-of-some-length";
        for (var i = 0; i < 10; i++)
        {
            var refused = await PostAsync(JsonContent.Create(new { key = wrong }));
            Assert.Equal(HttpStatusCode.Unauthorized, refused.StatusCode);
            Assert.Equal("application/problem+json", refused.Content.Headers.ContentType?.MediaType);
            Assert.False(refused.Headers.Contains("Set-Cookie"));
        }

        var limited = await PostAsync(JsonContent.Create(new { key = apis.Key }));

        Assert.Equal(HttpStatusCode.TooManyRequests, limited.StatusCode);
        Assert.InRange(limited.Headers.RetryAfter!.Delta!.Value.TotalSeconds, 1, 60);
        var page = await PostFormAsync(apis.Key);
        Assert.Equal(HttpStatusCode.TooManyRequests, page.StatusCode);
        Assert.Contains("Too many sign-ins.", await page.Content.ReadAsStringAsync());
        Assert.Contains("name=\"returnTo\" value=\"/hangfire/servers\"", await page.Content.ReadAsStringAsync());
        Assert.Contains($"{address} was refused: The key is wrong.", apis.Api.Output);
        Assert.DoesNotContain(wrong, apis.Api.Output);
        Assert.DoesNotContain(apis.Key[12..], apis.Api.Output);
    }

    [Theory]
    [InlineData("""{"kee":"a"}""", "key", "kee")]
    [InlineData("""{"key":1}""", "key")]
    [InlineData("""{"key":"a","returnTo":"https://evil.example"}""", "returnTo")]
    [InlineData("""{"key":"a","returnTo":"//evil.example"}""", "returnTo")]
    [InlineData("""{"key":"a","returnTo":"/é"}""", "returnTo")]
    public async Task SignIn_ThatCannotBeRead_NamesEachField(string json, params string[] fields)
    {
        var answer = await PostAsync(new StringContent(json, Encoding.UTF8, "application/json"));

        Assert.Equal(HttpStatusCode.BadRequest, answer.StatusCode);
        var errors = JsonNode.Parse(await answer.Content.ReadAsStringAsync())!["errors"]!.AsObject();
        Assert.Equal(fields.Order(), errors.Select(error => error.Key).Order());
    }

    [Fact]
    public async Task SignIn_ToReturnToWhatIsNoText_Is400()
    {
        var body = $"key={apis.Key}&returnTo=/é"; // in Latin-1 it is not UTF-8

        var answer = await PostAsync(new StringContent(body, Encoding.Latin1, "application/x-www-form-urlencoded"));

        Assert.Equal(HttpStatusCode.BadRequest, answer.StatusCode);
    }

    [Fact]
    public async Task Dashboard_WithoutASession_AsksABrowserForAKeyAndReturns()
    {
        var page = Request(HttpMethod.Get, "/hangfire/servers", null);
        page.Headers.Accept.ParseAdd("text/html,*/*;q=0.8");

        var asked = await apis.Http.SendAsync(page);

        Assert.Equal(HttpStatusCode.Unauthorized, asked.StatusCode);
        Assert.Contains("name=\"returnTo\" value=\"/hangfire/servers\"", await asked.Content.ReadAsStringAsync());
        var wrong = await PostFormAsync("a-wrong-secret-of-some-length");
        Assert.Equal(HttpStatusCode.Unauthorized, wrong.StatusCode);
        Assert.Contains("The key is wrong.", await wrong.Content.ReadAsStringAsync());
        var right = await PostFormAsync(apis.Key);
        Assert.Equal((HttpStatusCode.SeeOther, "/hangfire/servers"), (right.StatusCode, right.Headers.Location!.OriginalString));
        Assert.Equal(HttpStatusCode.OK, (await GetAsync(apis.Http, "/hangfire/servers", CookieIn(right))).StatusCode);
    }

    [Fact]
    public async Task Dashboard_ByCookie_RequeuesOrdinaryJobsForPagesOfThisHostOnly()
    {
        var id = FailedJob();
        var cookie = await SignInAsync();

        foreach (var (site, expected) in new[] { ("cross-site", HttpStatusCode.Forbidden), ("same-origin", HttpStatusCode.NoContent) })
        {
            var request = Request(HttpMethod.Post, "/hangfire/jobs/failed/requeue", cookie);
            request.Content = new FormUrlEncodedContent([KeyValuePair.Create("jobs[]", id)]);
            request.Headers.Add("Sec-Fetch-Site", site);
            Assert.Equal(expected, (await apis.Http.SendAsync(request)).StatusCode);
        }

        Assert.Equal("Enqueued", await apis.Database.ScalarAsync<string>($"SELECT statename FROM hangfire.job WHERE id = {id}"));
    }

    [Fact]
    public async Task Document_ListsBothWaysToShowAKey()
    {
        var document = await apis.Api.GetAsync("/swagger/v1/swagger.json");

        var schemes = document["components"]!["securitySchemes"]!;
        Assert.Equal("bearer", schemes["key"]!["scheme"]!.GetValue<string>());
        Assert.Equal("cookie", schemes["session"]!["in"]!.GetValue<string>());
        var security = document["paths"]!["/jobs"]!["post"]!["security"]!;
        Assert.Equal("""[{"key":["submit"]},{"session":["submit"]}]""", security.ToJsonString());
        Assert.Empty(document["paths"]!["/session"]!["post"]!["security"]!.AsArray());
    }

    private async Task<string> SignInAsync(string? key = null)
    {
        var answer = await PostAsync(JsonContent.Create(new { key = key ?? apis.Key }));
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        return CookieIn(answer);
    }

    private Task<HttpResponseMessage> PostAsync(HttpContent content, params (string Name, string Value)[] headers)
    {
        var request = new HttpRequestMessage(HttpMethod.Post, "/session") { Content = content };
        request.Headers.Add("X-Forwarded-For", address);
        foreach (var (name, value) in headers)
            request.Headers.Add(name, value);
        return apis.Http.SendAsync(request);
    }

    private Task<HttpResponseMessage> PostFormAsync(string key)
    {
        var request = new HttpRequestMessage(HttpMethod.Post, "/session")
        {
            Content = new FormUrlEncodedContent([KeyValuePair.Create("key", key), KeyValuePair.Create("returnTo", "/hangfire/servers")]),
        };
        request.Headers.Add("X-Forwarded-For", address);
        return apis.Http.SendAsync(request);
    }

    /// <summary>Opens a session of alice that ends then.</summary>
    private async Task<string> CookieAsync(int secondsLeft)
    {
        var secret = KeyText.NewSecret();
        var id = await KeyAsync("alice");
        await apis.Keys.OpenSessionAsync(KeyText.DigestOf(secret), id, TimeSpan.FromSeconds(secondsLeft), default);
        return secret;
    }

    private async Task<Guid> KeyAsync(string name) => (await apis.Keys.ListAsync()).Single(key => key.Name == name).Id;

    private static string CookieIn(HttpResponseMessage answer) =>
        Assert.Single(answer.Headers.GetValues("Set-Cookie")).Split(';')[0]["temper_session=".Length..];

    private async Task<JsonNode> SessionAsync(string cookie) =>
        JsonNode.Parse(await (await GetAsync(apis.Http, "/session", cookie)).Content.ReadAsStringAsync())!;

    private static Task<HttpResponseMessage> GetAsync(HttpClient http, string path, string cookie) =>
        http.SendAsync(Request(HttpMethod.Get, path, cookie));

    private static Task<HttpResponseMessage> SendAsync(HttpClient http, Operation operation, string? cookie)
    {
        var request = Request(new(operation.Method), operation.Path.Replace("{id}", Guid.NewGuid().ToString()), cookie);
        if (operation.TakesBody)
            request.Content = new StringContent("{}", Encoding.UTF8, "application/json");
        return http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
    }

    private static HttpRequestMessage Request(HttpMethod method, string path, string? cookie)
    {
        var request = new HttpRequestMessage(method, path);
        if (cookie is not null)
            request.Headers.Add("Cookie", $"temper_session={cookie}");
        return request;
    }

    private string FailedJob()
    {
        PostgreSqlStorage storage = EngineStorage.Open(apis.Database.ConnectionString, new(apis.Database.DataSource), 4, 10);
        using var connection = storage.GetConnection();
        var id = connection.CreateExpiredJob(
            Job.FromExpression<Housekeeping>(housekeeping => housekeeping.SettleStudiesAsync()),
            new Dictionary<string, string>(),
            DateTime.UtcNow,
            TimeSpan.FromHours(1)
        );
        using var transaction = connection.CreateWriteTransaction();
        transaction.SetJobState(id, new FailedState(new InvalidOperationException("It failed.")));
        transaction.Commit();
        return id;
    }
}
