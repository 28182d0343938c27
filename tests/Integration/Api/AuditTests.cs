using System.Net;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using Npgsql;
using Temper.Store.Audit;
using Temper.Store.Keys;

namespace Temper.Integration.Api;

/// <summary>Tests what the audit tells. Each test has a tenant of its own.</summary>
public class AuditTests(KeyedApis apis) : IClassFixture<KeyedApis>
{
    private static readonly object Spec = new
    {
        dataset = "mnist",
        epsilon = 0.1,
        epochs = 1,
    };

    private readonly string tenant = $"t{Guid.NewGuid():N}";

    [Fact]
    public async Task Changes_AreListedNewestFirst()
    {
        var key = await apis.Database.MakeKeyAsync("ann", tenant);
        var job = (await BodyAsync(await SendAsync(key, HttpMethod.Post, "/jobs", Spec)))["id"]!.GetValue<string>();
        await SendAsync(key, HttpMethod.Post, $"/jobs/{job}/cancel");
        await SendAsync(key, HttpMethod.Post, $"/jobs/{job}/retry?fresh=true");

        var rows = await AuditAsync(key);

        Assert.Equal(
            ["retryJob ?fresh=true 200", "cancelJob  200", "submitJob  202"],
            rows.Select(row => $"{row["action"]} {row["detail"]} {row["status"]}")
        );
        Assert.All(
            rows,
            row =>
            {
                Assert.Equal(("ann", job), (row["actor"]!.GetValue<string>(), row["target"]!.GetValue<string>()));
                Assert.Equal("127.0.0.1", row["address"]!.GetValue<string>());
                Assert.NotNull(row["keyId"]);
            }
        );
    }

    [Fact]
    public async Task Requests_ThatChangeNothing_AreNotListed()
    {
        var key = await apis.Database.MakeKeyAsync("ann", tenant);

        Assert.Equal(HttpStatusCode.OK, (await SendAsync(key, HttpMethod.Get, "/jobs")).StatusCode);
        Assert.Equal(HttpStatusCode.OK, (await SendAsync(key, HttpMethod.Post, "/jobs?validateOnly=true", Spec)).StatusCode);
        Assert.Equal(HttpStatusCode.BadRequest, (await SendAsync(key, HttpMethod.Post, "/jobs", new { })).StatusCode);
        Assert.Equal(HttpStatusCode.NotFound, (await SendAsync(key, HttpMethod.Post, $"/jobs/{Guid.NewGuid()}/cancel")).StatusCode);
        var stats = Request(key, HttpMethod.Post, "/hangfire/stats");
        stats.Content = new FormUrlEncodedContent(new Dictionary<string, string> { ["metrics[]"] = "jobs:enqueued" });
        Assert.Equal(HttpStatusCode.OK, (await apis.Http.SendAsync(stats)).StatusCode);

        Assert.Empty(await AuditAsync(key));
    }

    [Fact]
    public async Task Refusals_OfKnownKeys_AreListed()
    {
        var admin = await apis.Database.MakeKeyAsync("ann", tenant);
        var (reader, gone) = (
            await apis.Database.MakeKeyAsync("reader", tenant, Scope.Read),
            await apis.Database.MakeKeyAsync("gone", tenant, Scope.Read)
        );
        await apis.Database.ExecuteAsync($"UPDATE keys SET revoked_at = now() WHERE tenant = '{tenant}' AND name = 'gone'");
        var id = Guid.NewGuid();

        await SendAsync(reader, HttpMethod.Delete, $"/jobs/{id}");
        await SendAsync(gone, HttpMethod.Get, "/workers");
        Assert.Equal(HttpStatusCode.OK, (await SendAsync(gone, HttpMethod.Get, "/session")).StatusCode);
        await apis.Http.PostAsJsonAsync("/session", new { key = gone });

        Assert.Equal(
            [
                "gone signIn  401 The key is revoked.",
                "gone getSession  200 The key is revoked.",
                "gone listWorkers  401 The key is revoked.",
                $"reader deleteJob {id} 403 It lacks the scope operate.",
            ],
            (await AuditAsync(admin)).Select(row => $"{row["actor"]} {row["action"]} {row["target"]} {row["status"]} {row["detail"]}")
        );
    }

    [Fact]
    public async Task List_IsOfAllTenantsAndFilteredAndPaged()
    {
        var (key, other) = (await apis.Database.MakeKeyAsync("ann", tenant), await apis.Database.MakeKeyAsync("bob", tenant));
        for (var i = 0; i < 3; i++)
            await SendAsync(key, HttpMethod.Post, "/jobs", Spec);
        await apis.Database.ExecuteAsync($"UPDATE audit SET at = at - interval '1 day' WHERE tenant = '{tenant}'");
        await SendAsync(
            other,
            HttpMethod.Post,
            "/keys",
            new
            {
                name = "made",
                tenant,
                scopes = new[] { "read" },
            }
        );
        var stranger = await apis.Database.MakeKeyAsync("eve", $"x{tenant}");
        var yesterday = Uri.EscapeDataString(DateTimeOffset.UtcNow.AddHours(-1).ToString("O"));

        Assert.Empty((await BodyAsync(await SendAsync(stranger, HttpMethod.Get, $"/audit?tenant=x{tenant}")))["items"]!.AsArray());
        Assert.Equal(4, (await AuditAsync(stranger)).Count);
        Assert.Equal(4, (await AuditAsync(key)).Count);
        Assert.Equal("createKey", Assert.Single(await AuditAsync(key, "&actor=bob"))["action"]!.GetValue<string>());
        Assert.Equal(3, (await AuditAsync(key, "&action=submitJob")).Count);
        Assert.Single(await AuditAsync(key, $"&since={yesterday}"));
        Assert.Equal(3, (await AuditAsync(key, $"&until={yesterday}")).Count);
        var page = await BodyAsync(await SendAsync(key, HttpMethod.Get, $"/audit?tenant={tenant}&limit=3"));
        Assert.Equal(3, page["items"]!.AsArray().Count);
        var rest = await BodyAsync(await SendAsync(key, HttpMethod.Get, $"/audit?tenant={tenant}&limit=3&cursor={page["next"]}"));
        Assert.Single(rest["items"]!.AsArray());
        Assert.Null(rest["next"]);
        var wrong = await SendAsync(key, HttpMethod.Get, "/audit?since=then&until=now&limit=0&who=me");
        Assert.Equal(["limit", "since", "until", "who"], (await BodyAsync(wrong))["errors"]!.AsObject().Select(error => error.Key).Order());
    }

    /// <summary>A path may hold any text, also one that is cut within a surrogate pair.</summary>
    [Fact]
    public async Task Refusal_WithAnyText_IsWrittenAndTakesNoOtherWithIt()
    {
        var admin = await apis.Database.MakeKeyAsync("ann", tenant);
        var reader = await apis.Database.MakeKeyAsync("reader", tenant, Scope.Read);
        var name = new string('a', 499) + Uri.EscapeDataString("\U0001F600");

        await Task.WhenAll(
            Enumerable
                .Range(0, 20)
                .SelectMany(i =>
                    new[]
                    {
                        SendAsync(reader, HttpMethod.Delete, $"/datasets/{name}"),
                        SendAsync(reader, HttpMethod.Delete, $"/datasets/b{i}"),
                    }
                )
        );

        var targets = (await AuditAsync(admin, "&limit=200")).Select(row => row["target"]!.GetValue<string>()).ToList();
        Assert.Equal(20, targets.Count(target => target == new string('a', 499)));
        Assert.Equal(20, targets.Distinct().Count(target => target.StartsWith('b')));
    }

    [Fact]
    public async Task Store_OfEntriesOfWhichOneCannotBeStored_WritesTheOthersOnce()
    {
        var store = new AuditStore(apis.Database.DataSource);
        await apis.Database.ExecuteAsync($"ALTER TABLE audit ADD CHECK (detail <> '{tenant}')");
        AuditEntry[] entries = [Entry("first"), Entry(tenant), Entry("last")];

        Assert.Same(entries[1], Assert.Single(await store.WriteAsync(entries)).Key);
        Assert.Empty(await store.WriteAsync([entries[0], entries[2]])); // as after a broken connection

        Assert.Equal(
            $"an\ufffdn {new string('a', 499)} 2",
            await apis.Database.ScalarAsync<string>(
                $"SELECT actor || ' ' || target || ' ' || count(*) FROM audit WHERE tenant = '{tenant}' GROUP BY actor, target"
            )
        );

        AuditEntry Entry(string detail) => new(tenant, "\0an\ud800n", null, "test", $"{new string('a', 499)}\U0001F600", 200, null, detail);
    }

    [Fact]
    public async Task Change_WhoseAuditCannotBeWritten_SucceedsAndIsLogged()
    {
        await using var database = await TestDatabase.CreateAsync();
        var key = await database.MakeKeyAsync("ann");
        await using var api = await ApiProcess.StartAsync(database.ConnectionString);
        await database.ExecuteAsync("ALTER TABLE audit RENAME TO gone");
        var request = new HttpRequestMessage(HttpMethod.Post, "/jobs") { Content = JsonContent.Create(Spec) };
        request.Headers.Authorization = new("Bearer", key);

        var answer = await api.Http.SendAsync(request);

        Assert.Equal(HttpStatusCode.Accepted, answer.StatusCode);
        Assert.Equal(1, await database.ScalarAsync<long>("SELECT count(*) FROM jobs"));
        await Eventually.TrueAsync(() => Task.FromResult(api.Output.Contains("The audit lacks submitJob")));
    }

    /// <summary>The answer does not wait for the row of a request that failed.</summary>
    [Fact]
    public async Task Change_WhoseAnswerAndAuditFail_IsLogged()
    {
        await using var database = await TestDatabase.CreateAsync();
        var key = await database.MakeKeyAsync("ann");
        await using var api = await ApiProcess.StartAsync(database.ConnectionString);
        await database.ExecuteAsync("ALTER TABLE audit RENAME TO gone; ALTER TABLE tenant_usage RENAME TO gone_too");

        var answer = await api.Http.SendAsync(Request(key, HttpMethod.Put, "/tenants/x", new { maxRunning = 1 }));

        Assert.Equal(HttpStatusCode.InternalServerError, answer.StatusCode);
        await Eventually.TrueAsync(() => Task.FromResult(api.Output.Contains("The audit lacks setTenant of x by ann")));
    }

    [Fact]
    public async Task Change_WhoseClientHangsUpBeforeItsAnswer_IsListed()
    {
        var key = await apis.Database.MakeKeyAsync("ann", tenant);
        await using var connection = await apis.Database.DataSource.OpenConnectionAsync();
        await using var transaction = await connection.BeginTransactionAsync();
        await using (var hold = new NpgsqlCommand("LOCK TABLE tenant_usage", connection, transaction)) // only the answer reads it
            await hold.ExecuteNonQueryAsync();
        using var patience = new CancellationTokenSource();

        var answer = apis.Http.SendAsync(Request(key, HttpMethod.Put, $"/tenants/{tenant}", new { maxRunning = 1 }), patience.Token);
        await Eventually.TrueAsync(async () =>
            await apis.Database.ScalarAsync<long>($"SELECT count(*) FROM tenants WHERE name = '{tenant}'") == 1
        );
        await patience.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => answer);
        await AssertListedAsync(key, $"ann setTenant {tenant} 499");
    }

    [Fact]
    public async Task Change_WhoseAnswerFails_IsListed()
    {
        var key = await apis.Database.MakeKeyAsync("ann", tenant);
        await apis.Database.ExecuteAsync("ALTER TABLE tenant_usage RENAME TO gone"); // only the answer reads it
        try
        {
            var answer = await SendAsync(key, HttpMethod.Put, $"/tenants/{tenant}", new { maxRunning = 1 });

            Assert.Equal(HttpStatusCode.InternalServerError, answer.StatusCode);
            Assert.Equal(1, await apis.Database.ScalarAsync<long>($"SELECT count(*) FROM tenants WHERE name = '{tenant}'"));
            await AssertListedAsync(key, $"ann setTenant {tenant} 500");
        }
        finally
        {
            await apis.Database.ExecuteAsync("ALTER TABLE gone RENAME TO tenant_usage");
        }
    }

    private async Task AssertListedAsync(string key, string row)
    {
        await Eventually.TrueAsync(async () => (await AuditAsync(key)).Count > 0);
        Assert.Equal([row], (await AuditAsync(key)).Select(one => $"{one["actor"]} {one["action"]} {one["target"]} {one["status"]}"));
    }

    private async Task<List<JsonNode>> AuditAsync(string key, string query = "") =>
        [
            .. (await BodyAsync(await SendAsync(key, HttpMethod.Get, $"/audit?tenant={tenant}{query}")))["items"]!
                .AsArray()
                .Select(row => row!),
        ];

    private Task<HttpResponseMessage> SendAsync(string key, HttpMethod method, string path, object? body = null) =>
        apis.Http.SendAsync(Request(key, method, path, body));

    private static HttpRequestMessage Request(string key, HttpMethod method, string path, object? body = null) =>
        new(method, path) { Content = body is null ? null : JsonContent.Create(body), Headers = { Authorization = new("Bearer", key) } };

    private static async Task<JsonNode> BodyAsync(HttpResponseMessage answer) => JsonNode.Parse(await answer.Content.ReadAsStringAsync())!;
}
