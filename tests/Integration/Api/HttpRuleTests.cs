using System.Net;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json.Nodes;
using Temper.Domain.Jobs;
using Temper.Harness.Fuzz;
using Temper.Store.Queue;

namespace Temper.Integration.Api;

/// <summary>Tests the rules that hold for every route.</summary>
public class HttpRuleTests(ApiFixture fixture) : OwnJobsTest(fixture)
{
    private static readonly JobResult Result = new(0.99, 0.04, 0.01, -0.005, 3, "cpu", 2, "libtorch", "aa", [], "dd", "bb");

    /// <summary>Also an answer of the framework itself, to a client that wants something else.</summary>
    [Theory]
    [InlineData("GET", "/none", HttpStatusCode.NotFound)]
    [InlineData("PUT", "/jobs", HttpStatusCode.MethodNotAllowed)]
    [InlineData("POST", "/studies/none/extend", HttpStatusCode.NotFound)]
    public async Task Error_ForAClientThatAcceptsOnlyPages_IsAProblem(string method, string path, HttpStatusCode status)
    {
        using var request = new HttpRequestMessage(new(method), path) { Headers = { { "Accept", "text/html" } } };
        using var response = await Http.SendAsync(request);

        AssertProblem(status, response, JsonNode.Parse(await response.Content.ReadAsStringAsync()));
    }

    [Fact]
    public async Task Request_WithAnUnknownQueryParameter_Is400OnEveryRoute()
    {
        var operations = Operation.All(await Api.GetAsync("/swagger/v1/swagger.json"));
        Assert.True(operations.Count > 25);
        var rows = await StoreOfEachKindAsync();
        var jobs = await Database.ScalarAsync<long>("SELECT count(*) FROM jobs");
        foreach (var operation in operations)
        foreach (var name in operation.QueryParameters.Select(name => name.ToUpperInvariant()).Append("surprise"))
        {
            using var request = new HttpRequestMessage(new(operation.Method), $"{rows.PathOf(operation)}?{name}=1");
            if (operation.TakesBody)
                request.Content = new StringContent(
                    """{"dataset":"mnist","epsilon":0.1,"epochs":3}""",
                    new MediaTypeHeaderValue(operation.BodyType)
                );
            using var response = await Http.SendAsync(request);
            var problem = JsonNode.Parse(await response.Content.ReadAsStringAsync());
            Assert.True(response.StatusCode == HttpStatusCode.BadRequest, $"{operation}: {response.StatusCode} to {name}");
            Assert.True(problem!["errors"]![name] is JsonArray, $"{operation}: {problem.ToJsonString()}");
        }
        Assert.Equal(jobs, await Database.ScalarAsync<long>("SELECT count(*) FROM jobs"));
    }

    [Theory]
    [InlineData("/jobs?limit=1&limit=2", "limit")]
    [InlineData("/jobs/{id}/metrics?since=-1", "since")]
    [InlineData("/jobs/{id}/metrics?since=1.5", "since")]
    [InlineData("/jobs/{id}/metrics?since=2147483648", "since")]
    [InlineData("/jobs/{id}/metrics?since=", "since")]
    [InlineData("/jobs/{id}/metrics?since=1&since=2", "since")]
    public async Task Get_AWrongParameter_NamesIt(string path, string name)
    {
        var (response, problem) = await SendAsync(HttpMethod.Get, path.Replace("{id}", $"{await Api.SubmitAsync(Spec)}"));

        AssertProblem(HttpStatusCode.BadRequest, response, problem);
        Assert.NotNull(problem!["errors"]![name]);
    }

    [Fact]
    public async Task Head_WhereverGetWorks_SaysTheSameWithoutABody()
    {
        var id = await Api.SubmitAsync(
            new
            {
                dataset = "digits",
                epsilon = 0.1,
                epochs = 3,
            }
        );
        var logits = SimulatedLogits.Draw(500, 1, 4);
        Assert.True(await Queue.SucceedAsync(await ClaimAsync(), Result, new([1, 2, 3], StoredLogits.Of(logits, logits, null)), default));
        var (_, repeated) = await SendAsync(HttpMethod.Post, $"/jobs/{id}/reproduce");
        Assert.True(await Queue.SucceedAsync(await ClaimAsync(), Result, new([1, 2, 3], null), default));
        var (_, study) = await SendAsync(
            HttpMethod.Post,
            "/studies",
            """{"job":{"dataset":"digits","epochs":2},"epsilons":[0],"seeds":1}"""
        );
        var paths = Operation
            .All(await Api.GetAsync("/swagger/v1/swagger.json"))
            .Where(operation => operation.Method == "GET")
            .Select(operation =>
                operation.Path switch
                {
                    "/jobs/{id}/reproduction" => $"/jobs/{repeated!["id"]}/reproduction",
                    "/jobs/{id}/logits" => $"/jobs/{id}/logits?split=test",
                    var path => path.Replace("{id}", path.StartsWith("/studies") ? $"{study!["id"]}" : $"{id}"),
                }
            );
        foreach (
            var path in paths.Concat([
                "/",
                "/swagger/index.html",
                "/swagger/v1/swagger.json",
                "/swagger/swagger-ui.css",
                "/health/live",
                "/health/ready",
                "/hangfire",
                "/nowhere",
                $"/jobs/{Guid.NewGuid()}",
                "/jobs?limit=0",
            ])
        )
        {
            using var get = await Http.GetAsync(path, HttpCompletionOption.ResponseHeadersRead); // a stream of events does not end
            var head = await Http.SendAsync(new(HttpMethod.Head, path));
            Assert.True(get.StatusCode == head.StatusCode, $"{path}: {get.StatusCode} to GET and {head.StatusCode} to HEAD");
            Assert.Empty(await head.Content.ReadAsByteArrayAsync());
            Assert.Equal(get.Content.Headers.ContentType, head.Content.Headers.ContentType);
            Assert.Equal(get.Headers.ETag, head.Headers.ETag);
        }
        Assert.Equal(3, (await Http.SendAsync(new(HttpMethod.Head, $"/jobs/{id}/model"))).Content.Headers.ContentLength);
        Assert.Equal(HttpStatusCode.MethodNotAllowed, (await Http.SendAsync(new(HttpMethod.Head, $"/jobs/{id}/cancel"))).StatusCode);
    }

    [Theory]
    [InlineData(
        """{"dataset":"digits","epsilon":0,"epochs":3.0,"batchSize":1.28e2,"seed":10e-1,"model":"mlp","widths":"""
            + """[0.5e2,1e1],"timeoutSeconds":1e2}""",
        """{"epochs":3,"batchSize":128,"seed":1,"widths":[50,10],"timeoutSeconds":100}"""
    )]
    [InlineData(
        """{"dataset":"digits","epsilon":0,"epochs":1e1,"priority":-2.00,"seed":9.007199254740991e15}""",
        """{"epochs":10,"priority":-2,"seed":9007199254740991}"""
    )]
    public async Task Post_WholeNumbersHoweverWritten_AreTaken(string json, string expected)
    {
        var (response, job) = await SendAsync(HttpMethod.Post, "/jobs", json);

        Assert.Equal(HttpStatusCode.Accepted, response.StatusCode);
        foreach (var (field, value) in JsonNode.Parse(expected)!.AsObject())
            Assert.True(JsonNode.DeepEquals(value, job!["spec"]![field]), field);
    }

    [Theory]
    [InlineData("2.0", 2)]
    [InlineData("[1e1,3.0]", 2)]
    public async Task Post_SeedsHoweverWritten_AreTaken(string seeds, int count)
    {
        var (response, study) = await SendAsync(
            HttpMethod.Post,
            "/studies",
            $$"""{"job":{"dataset":"digits","epochs":2},"epsilons":[0],"seeds":{{seeds}}}"""
        );

        Assert.Equal(HttpStatusCode.Accepted, response.StatusCode);
        Assert.Equal(count, study!["spec"]!["seeds"]!.AsArray().Count);
    }

    [Theory]
    [InlineData("2.5")]
    [InlineData("1e-1")]
    [InlineData("1e-1000")]
    [InlineData("1e400")]
    [InlineData("3.00000000000000000000000000000000000000000000000001")]
    public async Task Post_ANumberThatIsNotWhole_Is400(string epochs)
    {
        var (response, problem) = await SendAsync(HttpMethod.Post, "/jobs", $$"""{"dataset":"digits","epsilon":0,"epochs":{{epochs}}}""");

        AssertProblem(HttpStatusCode.BadRequest, response, problem);
        Assert.NotNull(problem!["errors"]!["epochs"]);
    }

    [Theory]
    [InlineData("😀", 64, true)]
    [InlineData("😀", 65, false)]
    [InlineData("👩‍👩‍👧‍👦", 64, true)]
    [InlineData("e\u0301", 64, true)]
    [InlineData("x", 64, true)]
    [InlineData("x", 65, false)]
    [InlineData("a\u2028b", 1, false)]
    [InlineData("a\u2029b", 1, false)]
    [InlineData("a\u202Eb", 1, false)]
    [InlineData("a\u2066b", 1, false)]
    [InlineData("a\u0085b", 1, false)]
    [InlineData("ימין", 1, true)]
    public async Task Post_ATag_CountsCharactersAsPeopleSeeThem(string character, int times, bool isTaken)
    {
        var tag = string.Concat(Enumerable.Repeat(character, times));
        var json = new JsonObject
        {
            ["dataset"] = "digits",
            ["epsilon"] = 0,
            ["epochs"] = 1,
            ["tags"] = new JsonArray(tag),
            ["name"] = tag,
        }.ToJsonString();

        var (response, answer) = await SendAsync(HttpMethod.Post, "/jobs", json);

        Assert.Equal(isTaken ? HttpStatusCode.Accepted : HttpStatusCode.BadRequest, response.StatusCode);
        if (!isTaken)
            Assert.NotNull(answer!["errors"]!["tags"]);
        var (listed, page) = await SendAsync(HttpMethod.Get, $"/jobs?tag={Uri.EscapeDataString(tag)}");
        Assert.Equal(isTaken ? HttpStatusCode.OK : HttpStatusCode.BadRequest, listed.StatusCode);
        if (isTaken)
            Assert.Single(page!["items"]!.AsArray());
    }

    [Fact]
    public async Task Post_ATextPiledUpFromMarks_Is400()
    {
        var (response, problem) = await SendAsync(
            HttpMethod.Post,
            "/jobs",
            new JsonObject
            {
                ["dataset"] = "digits",
                ["epsilon"] = 0,
                ["epochs"] = 1,
                ["name"] = "e" + new string('\u0301', 5000),
            }.ToJsonString()
        );

        AssertProblem(HttpStatusCode.BadRequest, response, problem);
        Assert.NotNull(problem!["errors"]!["name"]);
    }

    [Fact]
    public async Task Metrics_SinceAnEpochThatIsYetToCome_KeepTheirETagWhileTheyAreTheSame()
    {
        var id = await Api.SubmitAsync(Spec);
        var job = await ClaimAsync();
        var path = $"/jobs/{id}/metrics?since=10";
        var empty = (await Http.GetAsync(path)).Headers.ETag!;

        await Queue.ReportAsync(job, [Metrics, Metrics with { Epoch = 2 }], null, default);
        Assert.Equal(HttpStatusCode.NotModified, (await AskAsync(path, $"{empty}")).StatusCode);
        await Queue.GiveBackAsync(job, "test", null, default);
        Assert.Equal(empty, (await Http.GetAsync(path)).Headers.ETag);
        await Database.ExecuteAsync("UPDATE jobs SET run_at = now()");
        job = await ClaimAsync();
        await Queue.ReportAsync(job, [Metrics with { Epoch = 11 }], null, default);
        var one = await AskAsync(path, $"{empty}");
        Assert.Equal(HttpStatusCode.OK, one.StatusCode);
        await Queue.ReportAsync(job, [Metrics with { Epoch = 11, Ece = 0.06 }], null, default);
        Assert.Equal(HttpStatusCode.OK, (await AskAsync(path, $"{one.Headers.ETag}")).StatusCode);
    }

    /// <summary>An event that does not change the epochs does not change their ETag.</summary>
    [Fact]
    public async Task Metrics_OfAJobThatIsClaimedAndGivenBack_KeepTheirETag()
    {
        var id = await Api.SubmitAsync(Spec);
        var tag = (await Http.GetAsync($"/jobs/{id}/metrics")).Headers.ETag!;

        await Queue.GiveBackAsync(await ClaimAsync(), "test", null, default);

        Assert.Equal(HttpStatusCode.NotModified, (await AskAsync($"/jobs/{id}/metrics", $"{tag}")).StatusCode);
    }

    [Fact]
    public async Task Post_ABodyWithAByteOrderMark_IsTaken()
    {
        var content = new ByteArrayContent([
            0xEF,
            0xBB,
            0xBF,
            .. Encoding.UTF8.GetBytes("""{"dataset":"digits","epsilon":0,"epochs":1}"""),
        ]);
        content.Headers.ContentType = new("application/json");

        Assert.Equal(HttpStatusCode.Accepted, (await Http.PostAsync("/jobs", content)).StatusCode);
    }

    [Fact]
    public async Task Model_InParts_IsTheWhole()
    {
        var weights = new byte[700_001]; // the API reads it in several pieces
        Random.Shared.NextBytes(weights);
        var id = await Api.SubmitAsync(Spec);
        Assert.True(await Queue.SucceedAsync(await ClaimAsync(), Result, new(weights, null), default));
        var path = $"/jobs/{id}/model";

        Assert.Equal(weights, await Http.GetByteArrayAsync(path));
        foreach (var (from, to) in new[] { (0, 9), (262_140, 262_150), (600_000, 700_000) })
        {
            var part = await Http.SendAsync(new(HttpMethod.Get, path) { Headers = { Range = new RangeHeaderValue(from, to) } });
            Assert.Equal(HttpStatusCode.PartialContent, part.StatusCode);
            Assert.Equal(weights[from..(to + 1)], await part.Content.ReadAsByteArrayAsync());
        }
        Assert.Equal(HttpStatusCode.NotModified, (await AskAsync(path, $"{(await Http.GetAsync(path)).Headers.ETag}")).StatusCode);
    }

    [Fact]
    public async Task Version_TellsWhichBuildAnswers()
    {
        var version = await Api.GetAsync("/version");

        Assert.Matches(@"^\d+\.\d+", version["version"]!.GetValue<string>());
        Assert.StartsWith(".NET 10", version["runtime"]!.GetValue<string>());
    }

    [Theory]
    [InlineData("cancel", "cancelled")]
    [InlineData("pause", "paused")]
    public async Task Stop_OfARunningJob_KeepsHowFarItGotAndOneReason(string verb, string state)
    {
        var id = await Api.SubmitAsync(Spec);
        var job = await ClaimAsync();
        await Queue.HeartbeatAsync(WorkerIdentity.Create("cpu", 1), [new(job, new(2, 3, 10, 422, 5000, 30))], null, default);
        await SendAsync(HttpMethod.Post, $"/jobs/{id}/{verb}");
        await Queue.HandBackAsync(job, "not this", default);

        var stopped = await Api.JobAsync(id);
        Assert.Equal(state, stopped["state"]!.GetValue<string>());
        Assert.Equal((2, 10), (stopped["progress"]!["epoch"]!.GetValue<int>(), stopped["progress"]!["step"]!.GetValue<int>()));
        Assert.Equal(
            stopped["reason"]!.GetValue<string>(),
            (await Api.GetAsync($"/jobs/{id}/attempts"))["items"]![0]!["reason"]!.GetValue<string>()
        );

        var (_, again) = await SendAsync(HttpMethod.Post, $"/jobs/{id}/{(verb == "cancel" ? "retry" : "resume")}");
        Assert.Null(again!["progress"]);
    }

    [Fact]
    public async Task Estimate_WithoutEarlierJobsAndWorkers_SaysWhyItIsNull()
    {
        var (_, study) = await SendAsync(HttpMethod.Post, "/studies?validateOnly=true", """{"job":{"dataset":"digits","epochs":2}}""");

        Assert.Null(study!["estimate"]!["minutes"]);
        Assert.Contains("No job with this data set", study["estimate"]!["note"]!.GetValue<string>());
        Assert.Contains("No worker", study["estimate"]!["note"]!.GetValue<string>());
    }
}
