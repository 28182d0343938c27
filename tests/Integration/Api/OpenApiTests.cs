using System.Net;
using System.Text.Json.Nodes;

namespace Temper.Integration.Api;

public class OpenApiTests(ApiFixture fixture) : ApiTest(fixture)
{
    [Fact]
    public async Task Document_IsOpenApi31AndDescribesEveryRoute()
    {
        var document = await Api.GetAsync("/swagger/v1/swagger.json");

        Assert.StartsWith("3.1", document["openapi"]!.GetValue<string>());
        var operations = document["paths"]!
            .AsObject()
            .SelectMany(path =>
                path.Value!.AsObject()
                    .Select(operation => (Name: $"{operation.Key.ToUpperInvariant()} {path.Key}", Operation: operation.Value!))
            )
            .ToArray();
        Assert.Equal(
            [
                "DELETE /datasets/{name}",
                "DELETE /evaluations/{id}",
                "DELETE /jobs/{id}",
                "DELETE /session",
                "DELETE /studies/{id}",
                "GET /audit",
                "GET /datasets",
                "GET /datasets/{name}",
                "GET /datasets/{name}/mean.png",
                "GET /datasets/{name}/samples.png",
                "GET /evaluations",
                "GET /evaluations/{id}",
                "GET /evaluations/{id}/calibration",
                "GET /events",
                "GET /jobs",
                "GET /jobs/{id}",
                "GET /jobs/{id}/attempts",
                "GET /jobs/{id}/calibration",
                "GET /jobs/{id}/corruptions",
                "GET /jobs/{id}/events",
                "GET /jobs/{id}/logits",
                "GET /jobs/{id}/metrics",
                "GET /jobs/{id}/model",
                "GET /jobs/{id}/notifications",
                "GET /jobs/{id}/reproduction",
                "GET /jobs/{id}/tensorboard",
                "GET /keys",
                "GET /session",
                "GET /studies",
                "GET /studies/{id}",
                "GET /studies/{id}/events",
                "GET /studies/{id}/metrics",
                "GET /studies/{id}/notifications",
                "GET /studies/{id}/recommendation",
                "GET /studies/{id}/report",
                "GET /tenants",
                "GET /tenants/{name}",
                "GET /version",
                "GET /workers",
                "POST /datasets",
                "POST /evaluations",
                "POST /jobs",
                "POST /jobs/{id}/cancel",
                "POST /jobs/{id}/pause",
                "POST /jobs/{id}/pin",
                "POST /jobs/{id}/predict",
                "POST /jobs/{id}/reproduce",
                "POST /jobs/{id}/resume",
                "POST /jobs/{id}/retry",
                "POST /jobs/{id}/unpin",
                "POST /keys",
                "POST /keys/{id}/revoke",
                "POST /session",
                "POST /studies",
                "POST /studies/{id}/cancel",
                "POST /studies/{id}/extend",
                "POST /studies/{id}/pause",
                "POST /studies/{id}/pin",
                "POST /studies/{id}/resume",
                "POST /studies/{id}/retry",
                "POST /studies/{id}/unpin",
                "POST /workers/{id}/drain",
                "POST /workers/{id}/resume",
                "PUT /tenants/{name}",
            ],
            operations.Select(operation => operation.Name).Order(StringComparer.Ordinal)
        );
        Assert.All(operations, operation => Assert.NotEmpty(operation.Operation["summary"]!.GetValue<string>()));
        var figure = document["components"]!["schemas"]!["SplitScores"]!["properties"]!["nll"]!;
        Assert.Equal(["null", "number"], figure["type"]!.AsArray().Select(type => type!.GetValue<string>()).Order());
        var ids = operations.Select(operation => operation.Operation["operationId"]!.GetValue<string>()).ToList();
        Assert.Equal(ids.Count, ids.Distinct().Count());
        foreach (
            var id in new[]
            {
                "listJobs",
                "submitJob",
                "getJob",
                "deleteJob",
                "getJobMetrics",
                "cancelJob",
                "reproduceJob",
                "submitStudy",
                "getStudyReport",
                "extendStudy",
                "listWorkers",
                "getVersion",
            }
        )
            Assert.Contains(id, ids);
    }

    [Fact]
    public async Task JobSpecSchema_TellsRulesDefaultsAndAnExampleThatWorks()
    {
        var spec = (await Api.GetAsync("/swagger/v1/swagger.json"))["components"]!["schemas"]!["JobSpec"]!;

        Assert.Equal(["dataset", "epsilon"], spec["required"]!.AsArray().Select(name => name!.GetValue<string>()).Order());
        Assert.Null(spec["properties"]!["epochs"]!["default"]); // they are required without a recipe
        Assert.Equal(128, spec["properties"]!["batchSize"]!["default"]!.GetValue<int>());
        Assert.Equal("adam", spec["properties"]!["optimizer"]!["default"]!.GetValue<string>());
        Assert.Contains("Must be a number from 0 to 1", spec["properties"]!["epsilon"]!["description"]!.GetValue<string>());
        Assert.All(spec["properties"]!.AsObject(), field => Assert.NotNull(field.Value!["description"]));
        var (response, _) = await SendAsync(HttpMethod.Post, "/jobs", spec["examples"]![0]!.ToJsonString());
        Assert.Equal(HttpStatusCode.Accepted, response.StatusCode);
    }

    [Fact]
    public async Task StudySchema_TellsRulesDefaultsAndAnExampleThatWorks()
    {
        var study = (await Api.GetAsync("/swagger/v1/swagger.json"))["components"]!["schemas"]!["StudySpec"]!;

        Assert.Equal(["job"], study["required"]!.AsArray().Select(name => name!.GetValue<string>()));
        Assert.Equal("[0,0.02,0.05,0.1,0.2,0.3]", study["properties"]!["epsilons"]!["default"]!.ToJsonString());
        Assert.Contains("a count from 1 to 1000", study["properties"]!["seeds"]!["description"]!.GetValue<string>());
        var (response, answer) = await SendAsync(HttpMethod.Post, "/studies", study["examples"]![0]!.ToJsonString());
        Assert.Equal(HttpStatusCode.Accepted, response.StatusCode);
        var (extended, _) = await SendAsync(
            HttpMethod.Post,
            $"/studies/{answer!["id"]}/extend",
            (await Api.GetAsync("/swagger/v1/swagger.json"))["components"]!["schemas"]!["StudyExtension"]!["examples"]![0]!.ToJsonString()
        );
        Assert.Equal(HttpStatusCode.Accepted, extended.StatusCode);
    }

    [Fact]
    public async Task Examples_HaveTheShapeOfRealAnswers()
    {
        var id = await Api.SubmitAsync(Spec);
        var schemas = (await Api.GetAsync("/swagger/v1/swagger.json"))["components"]!["schemas"]!;

        AssertSameKeys(await Api.JobAsync(id), schemas["JobResponse"]!["examples"]![0]!);
        AssertSameKeys(await Api.GetAsync("/jobs"), schemas["JobPage"]!["examples"]![0]!);
        AssertSameKeys(await Api.GetAsync($"/jobs/{id}/metrics"), schemas["MetricsResponse"]!["examples"]![0]!);
        var (_, problem) = await SendAsync(HttpMethod.Get, "/jobs?limit=0");
        Assert.All(
            schemas["HttpValidationProblemDetails"]!["examples"]![0]!.AsObject(),
            property => Assert.NotNull(problem![property.Key])
        );
        Assert.NotNull(schemas["HttpValidationProblemDetails"]!["examples"]![0]!["errors"]);
    }

    [Fact]
    public async Task Document_TellsWhatParametersMayHoldAndWhatMayBeNull()
    {
        var document = await Api.GetAsync("/swagger/v1/swagger.json");

        Assert.All(
            document["paths"]!["/jobs"]!["get"]!["parameters"]!.AsArray(),
            parameter => Assert.NotEmpty(parameter!["description"]!.GetValue<string>())
        );
        var job = document["components"]!["schemas"]!["JobResponse"]!["properties"]!;
        foreach (var field in new[] { "progress", "result" })
            Assert.Contains(job[field]!["oneOf"]!.AsArray(), shape => shape!["type"]?.GetValue<string>() == "null");
        Assert.NotNull(job["state"]!["$ref"]);
        Assert.NotNull(document["paths"]!["/jobs"]!["post"]!["responses"]!["503"]);
    }

    [Theory]
    [InlineData("/jobs/{id}/metrics", "MetricsResponse", "text/csv")]
    [InlineData("/studies/{id}", "StudyResponse", "text/csv")]
    [InlineData("/studies/{id}/metrics", "StudyMetricsResponse", "text/csv")]
    [InlineData("/studies/{id}/report", "StudyReportResponse", "text/html")]
    public async Task Document_OfAnAnswerInTwoFormats_HasBoth(string path, string type, string text)
    {
        var content = (await Api.GetAsync("/swagger/v1/swagger.json"))["paths"]![path]!["get"]!["responses"]!["200"]!["content"]!;

        Assert.Equal(["application/json", text], content.AsObject().Select(format => format.Key));
        Assert.EndsWith($"/{type}", content["application/json"]!["schema"]!["$ref"]!.GetValue<string>());
        Assert.Equal("string", content[text]!["schema"]!["type"]!.GetValue<string>());
    }

    [Theory]
    [InlineData("/datasets", "files", "application/octet-stream", "application/zip")]
    [InlineData("/evaluations", "file", "application/octet-stream")]
    [InlineData("/jobs/{id}/predict", "files", "application/json", "application/octet-stream", "image/png", "image/jpeg")]
    public async Task Document_OfABodyWithFiles_HasEachOfItsTypesAndTheFieldOfItsForm(string path, string field, params string[] types)
    {
        var document = await Api.GetAsync("/swagger/v1/swagger.json");
        var content = document["paths"]![path]!["post"]!["requestBody"]!["content"]!.AsObject();

        Assert.Equal([.. types, "multipart/form-data"], content.Select(type => type.Key));
        Assert.Equal([field], content["multipart/form-data"]!["schema"]!["required"]!.AsArray().Select(name => $"{name}"));
        Assert.Equal("binary", content["application/octet-stream"]!["schema"]!["format"]!.GetValue<string>());
        if (content["application/json"] is { } json)
            Assert.NotNull(document["components"]!["schemas"]![json["schema"]!["$ref"]!.GetValue<string>().Split('/')[^1]]);
    }

    [Fact]
    public async Task SwaggerUi_IsServed() => Assert.Contains("swagger-ui", await Http.GetStringAsync("/swagger/index.html"));

    private static void AssertSameKeys(JsonNode actual, JsonNode example) =>
        Assert.Equal(actual.AsObject().Select(property => property.Key), example.AsObject().Select(property => property.Key));
}
