using System.Net;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json.Nodes;
using Temper.Domain.Workers;
using Temper.Harness.Fuzz;
using Temper.Store.Keys;
using Temper.Store.Queue;

namespace Temper.Integration.Api;

/// <summary>The caller is of the tenant `default`; the tests make rows another tenant's in the database.</summary>
public class TenantTests(ApiFixture fixture) : OwnJobsTest(fixture)
{
    private const string Digest =
        "SELECT md5((SELECT string_agg(jobs::text, '' ORDER BY id) FROM jobs) || (SELECT string_agg(studies::text, '') FROM studies) "
        + "|| (SELECT string_agg(evaluations::text, '') FROM evaluations) || (SELECT string_agg(datasets::text, '') FROM datasets) "
        + "|| coalesce((SELECT string_agg(tenants::text, '') FROM tenants), ''))";

    [Fact]
    public async Task Operation_OnARowOfAnotherTenant_IsAnsweredAsOnAnUnknownOne()
    {
        var rows = await OfAnotherTenantAsync();
        var before = await Database.ScalarAsync<string>(Digest);
        var unknown = new StoredRows(Guid.NewGuid(), Guid.NewGuid(), Guid.NewGuid(), "nothing@1", "nobody");
        var document = await Api.GetAsync("/swagger/v1/swagger.json");
        var operations = Operation.All(document).Where(one => one.Path.Contains('{') && !IsForAdmins(document, one)).ToList();
        Assert.True(operations.Count > 40);
        await ShowAKeyOfTheTenantAsync();

        foreach (var operation in operations)
        {
            var (path, unknownPath) = (rows.PathOf(operation), unknown.PathOf(operation));
            var answer = await AskAsync(operation, path);
            Assert.True(answer.Status == HttpStatusCode.NotFound, $"{operation}: {answer}");
            var (name, unknownName) = (path.Split('/')[2], unknownPath.Split('/')[2]);
            Assert.Equal(await AskAsync(operation, unknownPath), answer with { Body = answer.Body.Replace(name, unknownName) });
        }
        Assert.Equal(before, await Database.ScalarAsync<string>(Digest));
    }

    [Fact]
    public async Task List_HasNothingOfAnotherTenant()
    {
        var rows = await OfAnotherTenantAsync();
        var own = await Api.SubmitAsync(Spec);
        var document = await Api.GetAsync("/swagger/v1/swagger.json");
        await ShowAKeyOfTheTenantAsync();

        foreach (
            var operation in Operation
                .All(document)
                .Where(one => one.Method == "GET" && !one.Path.Contains('{') && one.Path != "/events" && !IsForAdmins(document, one))
        )
        {
            var text = await Http.GetStringAsync(operation.Path);
            foreach (var other in new[] { $"{rows.Job}", $"{rows.Study}", $"{rows.Evaluation}", rows.Dataset, "\"other\"" })
                Assert.False(text.Contains(other), $"{operation}: {text}");
        }
        foreach (var query in new[] { "state=queued", "dataset=mnist", $"study={rows.Study}" })
            Assert.Equal(query.StartsWith("study") ? 0 : 1, (await Api.GetAsync($"/jobs?{query}"))["items"]!.AsArray().Count);
        Assert.Equal($"{own}", (await Api.GetAsync("/jobs"))["items"]![0]!["id"]!.GetValue<string>());
        var tenant = Assert.Single((await Api.GetAsync("/tenants"))["items"]!.AsArray())!;
        Assert.Equal(("default", 1, 0), ($"{tenant["name"]}", tenant["queued"]!.GetValue<int>(), tenant["running"]!.GetValue<int>()));
    }

    [Fact]
    public async Task Events_AreOfTheOwnTenant()
    {
        var rows = await OfAnotherTenantAsync();
        var own = await Api.SubmitAsync(Spec);
        using var stream = await EventStream.OpenAsync(Http, "/events");
        await Queue.PinAsync(rows.Job, true, default);
        await Database.ExecuteAsync($"UPDATE jobs SET reason = 'other' WHERE tenant = 'other'");
        await Queue.CancelAsync(own, default);

        var first = (await stream.NextAsync())!;
        Assert.Equal($"{own}", $"{first.Data["jobId"]}");
        // The stream that continues reads the same from the database.
        await Database.ExecuteAsync($"UPDATE jobs SET reason = 'again' WHERE tenant = 'other'");
        await Queue.RetryAsync(own, fresh: false, default);
        using var next = await EventStream.OpenAsync(Http, "/events", first.Id);
        var second = (await next.NextAsync())!;
        Assert.Equal(($"{own}", "queued"), ($"{second.Data["jobId"]}", $"{second.Payload["state"]}"));
    }

    [Fact]
    public async Task Workers_ShowJobsOfAnotherTenantAsTakenSlotsOnly()
    {
        var other = await Api.SubmitAsync(Spec);
        await Database.ExecuteAsync("UPDATE jobs SET tenant = 'other'");
        await ClaimAsync();

        var worker = Assert.Single((await Api.GetAsync("/workers"))["items"]!.AsArray())!;
        Assert.Equal((1, 0), (worker["slotsTaken"]!.GetValue<int>(), worker["jobs"]!.AsArray().Count));
        Assert.DoesNotContain($"{other}", worker.ToJsonString());
    }

    [Fact]
    public async Task Workers_ShowTheReasonOfAFailedJobToAdminsOnly()
    {
        var reason = SetAside.Because("2 different jobs failed in a row.", "secret");
        var card = new WorkerDevice(0, "GPU-a", "NVIDIA H100", null, null, null, 1, 0, reason);
        await Queue.HeartbeatAsync(WorkerIdentity.Create("cuda", 1), [], $"GPU 0: {reason}", default, devices: [card]);

        Assert.Equal((reason, $"GPU 0: {reason}"), await ShownAsync());
        await ShowAKeyOfTheTenantAsync();
        Assert.Equal(("2 different jobs failed in a row.", "GPU 0: 2 different jobs failed in a row."), await ShownAsync());

        async Task<(string, string)> ShownAsync()
        {
            var worker = (await Api.GetAsync("/workers"))["items"]![0]!;
            return ($"{worker["devices"]![0]!["setAsideReason"]}", $"{worker["suspendedReason"]}");
        }
    }

    [Fact]
    public async Task Submit_UnderTheKeyOfAnotherTenant_MakesAnotherJob()
    {
        foreach (var (path, spec) in new[] { ("/jobs", Job), ("/studies", Study) })
        {
            var first = await KeyedAsync(path, spec);
            await Database.ExecuteAsync($"UPDATE {path[1..]} SET tenant = 'other'");
            var second = await KeyedAsync(path, spec);
            Assert.NotEqual($"{first["id"]}", $"{second["id"]}");
            Assert.Equal($"{second["id"]}", $"{(await KeyedAsync(path, spec))["id"]}");
        }
    }

    [Fact]
    public async Task Spec_NamesOnlyOwnDataSets_AndOthersJobsTellNothing()
    {
        var (advice, estimate) = (await CheckAsync("/jobs", Job, "advice"), await CheckAsync("/studies", Study, "estimate"));
        await OfAnotherTenantAsync();
        await Database.ExecuteAsync(
            "DELETE FROM workers; UPDATE jobs SET spec = spec || '{\"dataset\":\"digits\",\"epochs\":2}' WHERE state = 'succeeded'"
        );

        Assert.Equal(advice, await CheckAsync("/jobs", Job, "advice"));
        Assert.Equal(estimate, await CheckAsync("/studies", Study, "estimate"));
        foreach (var name in new[] { "shapes", "shapes@1" })
        {
            var (response, problem) = await SendAsync(HttpMethod.Post, "/jobs", Job.Replace("digits", name));
            AssertProblem(HttpStatusCode.BadRequest, response, problem);
            (response, problem) = await SendAsync(HttpMethod.Get, $"/jobs?dataset={name}");
            AssertProblem(HttpStatusCode.BadRequest, response, problem);
        }
    }

    [Fact]
    public async Task Quotas_AreShownAndRefuseWithAReason()
    {
        await Api.SubmitAsync(Spec);
        var (set, tenant) = await SendAsync(HttpMethod.Put, "/tenants/default", """{"maxQueued":2,"maxRunning":0}""");

        Assert.Equal(HttpStatusCode.OK, set.StatusCode);
        Assert.Equal(
            """{"maxQueued":2,"maxRunning":0,"maxDeviceSecondsPerMonth":null,"maxUploadedBytes":null}""",
            tenant!["quotas"]!.ToJsonString()
        );
        Assert.True(JsonNode.DeepEquals(tenant, await Api.GetAsync("/tenants/default")));
        var waiting = await Api.SubmitAsync(Spec);
        foreach (var (path, spec) in new[] { ("/jobs", Job), ("/studies", Study) })
        {
            var (refused, problem) = await SendAsync(HttpMethod.Post, path, spec);
            AssertProblem(HttpStatusCode.TooManyRequests, refused, problem);
            Assert.NotNull(refused.Headers.RetryAfter);
            Assert.StartsWith("Tenant default may have 2 queued jobs.", $"{problem!["detail"]}");
        }
        Assert.Equal((2L, 0L), (await CountAsync("jobs"), await CountAsync("studies")));
        Assert.Equal(
            "waits for its tenant's quota: at most 0 of its jobs run at once",
            $"{(await Api.GetAsync($"/jobs/{waiting}"))["reason"]}"
        );

        var (wrong, errors) = await SendAsync(HttpMethod.Put, "/tenants/default", """{"maxQueued":-1,"maxRunning":"a","owner":1}""");
        AssertProblem(HttpStatusCode.BadRequest, wrong, errors);
        Assert.Equal(["maxQueued", "maxRunning", "owner"], errors!["errors"]!.AsObject().Select(field => field.Key).Order());
        await SendAsync(HttpMethod.Put, "/tenants/other", """{"maxQueued":1}""");
        Assert.Equal(["default", "other"], (await Api.GetAsync("/tenants"))["items"]!.AsArray().Select(one => $"{one!["name"]}"));
        await SendAsync(HttpMethod.Put, "/tenants/default", "{}");
        Assert.Null((await Api.GetAsync($"/jobs/{waiting}"))["reason"]);
        Assert.Equal(HttpStatusCode.Accepted, (await SendAsync(HttpMethod.Post, "/jobs", Job)).Response.StatusCode);
    }

    private const string Job = """{"dataset":"digits","epsilon":0.1,"epochs":2}""",
        Study = """{"job":{"dataset":"digits","epochs":2},"epsilons":[0],"seeds":1}""";

    public override async Task DisposeAsync()
    {
        Http.DefaultRequestHeaders.Authorization = null;
        await Database.ExecuteAsync("TRUNCATE keys, sessions");
    }

    /// <summary>Sends a key of the tenant `default` from now on, with all scopes but `admin`, which sees all tenants.</summary>
    private async Task ShowAKeyOfTheTenantAsync() =>
        Http.DefaultRequestHeaders.Authorization = new(
            "Bearer",
            await Database.MakeKeyAsync("of the tenant", "default", Scope.Submit, Scope.Operate)
        );

    private static bool IsForAdmins(JsonNode document, Operation operation) =>
        document["paths"]![operation.Path]![operation.Method.ToLowerInvariant()]!["security"]!
            .AsArray()
            .Any(one => one!["key"]?.AsArray().Any(scope => $"{scope}" == Scope.Admin.Word()) == true);

    private async Task<StoredRows> OfAnotherTenantAsync()
    {
        var rows = await StoreOfEachKindAsync();
        await Database.ExecuteAsync(
            """
            INSERT INTO dataset_names (tenant, name, last_version) VALUES ('other', 'shapes', 1) ON CONFLICT DO NOTHING;
            UPDATE datasets SET tenant = 'other';
            UPDATE jobs SET tenant = 'other'; UPDATE studies SET tenant = 'other'; UPDATE evaluations SET tenant = 'other'
            """
        );
        return rows with { Tenant = "other" };
    }

    private Task<long> CountAsync(string table) => Database.ScalarAsync<long>($"SELECT count(*) FROM {table}");

    private async Task<(HttpStatusCode Status, string Body)> AskAsync(Operation operation, string path)
    {
        using var request = new HttpRequestMessage(new(operation.Method), path);
        if (operation.TakesBody)
            request.Content = new StringContent("{}", Encoding.UTF8, new MediaTypeHeaderValue(operation.BodyType));
        using var response = await Http.SendAsync(request);
        var body = JsonNode.Parse(await response.Content.ReadAsStringAsync())!.AsObject();
        body.Remove("traceId");
        return (response.StatusCode, body.ToJsonString());
    }

    private async Task<JsonNode> KeyedAsync(string path, string spec)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, path)
        {
            Content = new StringContent(spec, Encoding.UTF8, "application/json"),
            Headers = { { "Idempotency-Key", "key" } },
        };
        using var response = await Http.SendAsync(request);
        Assert.Equal(HttpStatusCode.Accepted, response.StatusCode);
        return JsonNode.Parse(await response.Content.ReadAsStringAsync())!;
    }

    private async Task<string> CheckAsync(string path, string spec, string part)
    {
        var (_, answer) = await SendAsync(HttpMethod.Post, $"{path}?validateOnly=true", spec);
        return answer![part]!.ToJsonString();
    }
}
