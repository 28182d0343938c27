using System.Net;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json.Nodes;
using Temper.Harness.Fuzz;
using Temper.Store.Keys;

namespace Temper.Integration.Api;

/// <summary>Tests which keys may do what.</summary>
public class AccessTests(KeyedApis apis) : IClassFixture<KeyedApis>
{
    /// <summary>Operations that need another scope than `read`. A new one needs a line here.</summary>
    private static readonly Dictionary<string, Scope?> Needed = new()
    {
        ["GET /session"] = null,
        ["POST /session"] = null,
        ["DELETE /session"] = null,
        ["POST /jobs"] = Scope.Submit,
        ["POST /jobs/{id}/predict"] = Scope.Submit,
        ["POST /jobs/{id}/reproduce"] = Scope.Submit,
        ["POST /studies"] = Scope.Submit,
        ["POST /studies/{id}/extend"] = Scope.Submit,
        ["POST /evaluations"] = Scope.Submit,
        ["POST /datasets"] = Scope.Submit,
        ["POST /jobs/{id}/cancel"] = Scope.Operate,
        ["POST /jobs/{id}/pause"] = Scope.Operate,
        ["POST /jobs/{id}/resume"] = Scope.Operate,
        ["POST /jobs/{id}/retry"] = Scope.Operate,
        ["POST /jobs/{id}/pin"] = Scope.Operate,
        ["POST /jobs/{id}/unpin"] = Scope.Operate,
        ["DELETE /jobs/{id}"] = Scope.Operate,
        ["POST /studies/{id}/cancel"] = Scope.Operate,
        ["POST /studies/{id}/pause"] = Scope.Operate,
        ["POST /studies/{id}/resume"] = Scope.Operate,
        ["POST /studies/{id}/retry"] = Scope.Operate,
        ["POST /studies/{id}/pin"] = Scope.Operate,
        ["POST /studies/{id}/unpin"] = Scope.Operate,
        ["DELETE /studies/{id}"] = Scope.Operate,
        ["DELETE /evaluations/{id}"] = Scope.Operate,
        ["DELETE /datasets/{name}"] = Scope.Operate,
        ["GET /keys"] = Scope.Admin,
        ["POST /keys"] = Scope.Admin,
        ["POST /keys/{id}/revoke"] = Scope.Admin,
        ["GET /audit"] = Scope.Admin,
        ["PUT /tenants/{name}"] = Scope.Admin,
        ["POST /workers/{id}/drain"] = Scope.Admin,
        ["POST /workers/{id}/resume"] = Scope.Admin,
    };

    [Fact]
    public async Task Operation_OfTheDocument_NeedsItsScope()
    {
        var document = await apis.Api.GetAsync("/swagger/v1/swagger.json");
        var operations = Operation.All(document);
        Assert.Empty(Needed.Keys.Except(operations.Select(operation => $"{operation}")));
        var keys = new Dictionary<Scope, string>();
        foreach (var scope in Scopes.All)
            keys[scope] = await apis.Database.MakeKeyAsync($"with {scope}", "scopes", scope);

        foreach (var operation in operations)
        {
            var needed = Needed.GetValueOrDefault($"{operation}", Scope.Read);
            var about = document["paths"]![operation.Path]![operation.Method.ToLowerInvariant()]!;
            var listed = about["security"]!.AsArray().SelectMany(one => one!["key"]?.AsArray() ?? []).Select(word => $"{word}");
            Assert.Equal(needed is { } one ? [one.Word()] : [], listed);
            // Pages of other sites may not sign in and out either.
            Assert.Equal(needed is not null || operation.Method != "GET", about["responses"]!["403"] is not null);
            if (needed is null)
                continue;
            var without = await SendAsync(operation, null);
            Assert.True(without.StatusCode == HttpStatusCode.Unauthorized, $"{operation} without a key: {without.StatusCode}");
            Assert.Equal("Bearer", without.Headers.WwwAuthenticate.ToString());
            foreach (var (scope, key) in keys)
            {
                var isAllowed = scope == needed || scope == Scope.Admin || needed == Scope.Read;
                var answer = await SendAsync(operation, key);
                var what = $"{operation} with {scope}: {answer.StatusCode}";
                if (isAllowed)
                    Assert.True(answer.StatusCode is not (HttpStatusCode.Unauthorized or HttpStatusCode.Forbidden), what);
                else
                {
                    Assert.True(answer.StatusCode == HttpStatusCode.Forbidden, what);
                    Assert.Equal(needed.Value.Word(), (await BodyAsync(answer))["scope"]!.GetValue<string>());
                }
            }
        }
    }

    [Theory]
    [InlineData(Scope.Operate, HttpStatusCode.Forbidden)]
    [InlineData(Scope.Admin, HttpStatusCode.OK)]
    public async Task HangfiresDashboard_ShowsAllTenants_SoItNeedsAdmin(Scope scope, HttpStatusCode expected)
    {
        var key = await apis.Database.MakeKeyAsync($"hangfire {scope}", "default", scope);

        foreach (var path in new[] { "/hangfire", "/hangfire/servers", "/hangfire/jobs/enqueued" })
        {
            var request = new HttpRequestMessage(HttpMethod.Get, path);
            request.Headers.Authorization = new("Bearer", key);
            var answer = await apis.Http.SendAsync(request);
            Assert.True(answer.StatusCode == expected, $"{path}: {answer.StatusCode}");
        }
    }

    [Fact]
    public async Task RevokedKey_IsRefusedInEveryProcessAtOnce()
    {
        var key = await apis.Database.MakeKeyAsync("to be revoked");
        var id = (await apis.Keys.ListAsync()).Single(one => one.Name == "to be revoked").Id;
        var operations = Operation.All(await apis.Api.GetAsync("/swagger/v1/swagger.json")).Where(one => one.Path != "/session").ToList();
        Assert.Equal(HttpStatusCode.OK, (await SendAsync(new("GET", "/jobs", [], [], false), key, apis.OtherHttp)).StatusCode);

        var revoked = await SendAsync(new("POST", $"/keys/{id}/revoke", [], [], false), key);

        Assert.Equal(HttpStatusCode.OK, revoked.StatusCode);
        foreach (var operation in operations)
        {
            var answer = await SendAsync(operation, key, apis.OtherHttp);
            Assert.True(answer.StatusCode == HttpStatusCode.Unauthorized, $"{operation}: {answer.StatusCode}");
            Assert.Equal("The key is revoked.", (await BodyAsync(answer))["title"]!.GetValue<string>());
        }
        Assert.Contains("It is to be revoked of tenant default", apis.Other.Output);
        Assert.DoesNotContain(key[12..], apis.Other.Output);
    }

    [Fact]
    public async Task ExpiredKey_IsRefused()
    {
        var key = await apis.Database.MakeKeyAsync("expired");
        await apis.Database.ExecuteAsync("UPDATE keys SET expires_at = now() WHERE name = 'expired'");

        var answer = await SendAsync(new("GET", "/jobs", [], [], false), key);

        Assert.Equal(HttpStatusCode.Unauthorized, answer.StatusCode);
        Assert.Equal("The key has expired.", (await BodyAsync(answer))["title"]!.GetValue<string>());
    }

    [Fact]
    public async Task Key_MadeByTheApi_OpensWhatItsScopesSay()
    {
        var made = await PostKeyAsync(
            new
            {
                name = "made",
                tenant = "birds",
                scopes = new[] { "operate", "submit", "submit" },
                expires = "90d",
            }
        );

        Assert.Equal(HttpStatusCode.Created, made.StatusCode);
        Assert.Equal("no-store", made.Headers.CacheControl!.ToString());
        var (secret, about) = ((await BodyAsync(made))["secret"]!.GetValue<string>(), (await BodyAsync(made))["key"]!);
        Assert.Matches("^tmp_[A-Za-z0-9_-]{43}$", secret);
        Assert.StartsWith(about["prefix"]!.GetValue<string>(), secret);
        Assert.Equal("alice", about["createdBy"]!.GetValue<string>());
        Assert.Equal("""["submit","operate"]""", about["scopes"]!.ToJsonString());
        Assert.Equal(90, (about["expiresAt"]!.GetValue<DateTimeOffset>() - about["createdAt"]!.GetValue<DateTimeOffset>()).TotalDays, 3);
        Assert.Equal(HttpStatusCode.OK, (await SendAsync(new("GET", "/jobs", [], [], false), secret)).StatusCode);
        Assert.Equal(HttpStatusCode.Forbidden, (await SendAsync(new("GET", "/keys", [], [], false), secret)).StatusCode);
        var list = await (await SendAsync(new("GET", "/keys", [], [], false), apis.Key)).Content.ReadAsStringAsync();
        Assert.Contains(about["id"]!.GetValue<string>(), list);
        Assert.DoesNotContain(secret[12..], list);
        await Eventually.TrueAsync(async () =>
            await apis.Database.ScalarAsync<bool>("SELECT last_used_at IS NOT NULL FROM keys WHERE name = 'made'")
        );
        Assert.Equal(0, await apis.Database.ScalarAsync<long>($"SELECT count(*) FROM keys WHERE keys::text LIKE '%{secret[12..]}%'"));
    }

    [Theory]
    [InlineData("""{"name":"","tenant":"A b","scopes":[],"expires":"1y"}""", "expires", "name", "scopes", "tenant")]
    [InlineData("""{"name":"a","tenant":"b","scopes":["write"]}""", "scopes")]
    [InlineData("""{"name":"a"}""", "scopes", "tenant")]
    public async Task KeySpec_ThatIsWrong_NamesEachField(string json, params string[] fields)
    {
        var answer = await PostKeyAsync(JsonNode.Parse(json)!);

        Assert.Equal(HttpStatusCode.BadRequest, answer.StatusCode);
        Assert.Equal(fields, (await BodyAsync(answer))["errors"]!.AsObject().Select(error => error.Key).Order());
    }

    [Fact]
    public async Task KeyName_IsUniqueAmongTheUnrevokedKeysOfATenant()
    {
        object spec = new
        {
            name = "twice",
            tenant = "one",
            scopes = new[] { "read" },
        };
        var first = (await BodyAsync(await PostKeyAsync(spec)))["key"]!["id"];

        Assert.Equal(HttpStatusCode.Conflict, (await PostKeyAsync(spec)).StatusCode);
        await SendAsync(new("POST", $"/keys/{first}/revoke", [], [], false), apis.Key);
        Assert.Equal(HttpStatusCode.Created, (await PostKeyAsync(spec)).StatusCode);
    }

    [Fact]
    public async Task Keys_OverAThousand_AreListedWithoutTheRevokedAndTheOldest()
    {
        await apis.Database.ExecuteAsync(
            """
            INSERT INTO keys (id, name, tenant, digest, prefix, scopes, created_by, created_at, revoked_at)
            SELECT gen_random_uuid(), 'many ' || i, 'many', sha256(i::text::bytea), 'tmp_', '{read}', 'test', now() - i * interval '1 day',
                CASE WHEN i % 2 = 0 THEN now() END
            FROM generate_series(1, 2400) AS i
            """
        );
        try
        {
            var answer = await SendAsync(new("GET", "/keys", [], [], false), apis.Key);

            var items = (await BodyAsync(answer))["items"]!.AsArray();
            Assert.Equal(1000, items.Count);
            Assert.All(items, key => Assert.Null(key!["revokedAt"]));
            Assert.Contains("many 1001", items.Select(key => $"{key!["name"]}"));
            Assert.DoesNotContain("many 2399", items.Select(key => $"{key!["name"]}"));
            Assert.Equal(items.Select(key => $"{key!["createdAt"]}").OrderDescending(), items.Select(key => $"{key!["createdAt"]}"));
        }
        finally
        {
            await apis.Database.ExecuteAsync("DELETE FROM keys WHERE tenant = 'many'");
        }
    }

    private Task<HttpResponseMessage> PostKeyAsync(object spec)
    {
        var request = new HttpRequestMessage(HttpMethod.Post, "/keys") { Content = JsonContent.Create(spec) };
        request.Headers.Authorization = new("Bearer", apis.Key);
        return apis.Http.SendAsync(request);
    }

    private Task<HttpResponseMessage> SendAsync(Operation operation, string? key, HttpClient? http = null)
    {
        var path = operation.Path.Replace("{id}", Guid.NewGuid().ToString());
        var request = new HttpRequestMessage(new(operation.Method), path);
        if (key is not null)
            request.Headers.Authorization = new("Bearer", key);
        if (operation.TakesBody)
            request.Content = new StringContent("{}", Encoding.UTF8, "application/json");
        return (http ?? apis.Http).SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
    }

    private static async Task<JsonNode> BodyAsync(HttpResponseMessage answer) => JsonNode.Parse(await answer.Content.ReadAsStringAsync())!;
}
