using System.Net;
using System.Text;
using System.Text.Json.Nodes;

namespace Temper.Integration.Api;

public class IdempotencyTests(ApiFixture fixture) : ApiTest(fixture)
{
    private const string Body = """{"dataset":"mnist","epsilon":0.1,"epochs":3}""";

    [Fact]
    public async Task Post_FiftyAtOnceWithOneKey_MakesOneJob()
    {
        var answers = await Task.WhenAll(Enumerable.Range(0, 50).Select(_ => PostAsync("fifty", Body)));

        Assert.All(answers, answer => Assert.Equal(HttpStatusCode.Accepted, answer.Status));
        Assert.Single(answers.Select(answer => answer.Body["id"]!.GetValue<Guid>()).Distinct());
        Assert.Equal(1, await Database.ScalarAsync<long>("SELECT count(*) FROM jobs WHERE idempotency_key = 'fifty'"));
    }

    [Fact]
    public async Task Post_TheSameSpecWrittenOtherwise_IsTheSameJobAsItStandsNow()
    {
        var (_, first) = await PostAsync("again", Body);
        await SendAsync(HttpMethod.Post, $"/jobs/{first["id"]}/cancel");

        var (status, second) = await PostAsync("again", """{ "epochs": 3, "dataset": "mnist", "epsilon": 0.10, "batchSize": 128 }""");

        Assert.Equal(HttpStatusCode.Accepted, status);
        Assert.Equal(first["id"]!.GetValue<Guid>(), second["id"]!.GetValue<Guid>());
        Assert.Equal("cancelled", second["state"]!.GetValue<string>());
    }

    [Fact]
    public async Task Post_AnotherSpecUnderAUsedKey_Is422AndStoresNothing()
    {
        var (_, first) = await PostAsync("other", Body);
        var before = await Database.ScalarAsync<long>("SELECT count(*) FROM jobs");

        var (status, problem) = await PostAsync("other", """{"dataset":"mnist","epsilon":0.2,"epochs":3}""");

        Assert.Equal(HttpStatusCode.UnprocessableEntity, status);
        Assert.Contains(first["id"]!.ToString(), problem["detail"]!.GetValue<string>());
        Assert.Equal(before, await Database.ScalarAsync<long>("SELECT count(*) FROM jobs"));
    }

    [Fact]
    public async Task Post_AfterTheApiStartedAnew_StillKnowsTheKey()
    {
        var (_, first) = await PostAsync("restart", Body);

        await using var another = await ApiProcess.StartAsync(Database.ConnectionString);
        var (_, second) = await PostAsync("restart", Body, another.Http);

        Assert.Equal(first["id"]!.GetValue<Guid>(), second["id"]!.GetValue<Guid>());
    }

    [Theory]
    [InlineData(" ")]
    [InlineData("two words")]
    [InlineData("256")]
    public async Task Post_AKeyThatIsNone_Is400(string key)
    {
        var (status, problem) = await PostAsync(key == "256" ? new string('k', 256) : key, Body);

        Assert.Equal(HttpStatusCode.BadRequest, status);
        Assert.NotNull(problem["errors"]!["idempotency-key"]);
    }

    private async Task<(HttpStatusCode Status, JsonNode Body)> PostAsync(string key, string body, HttpClient? http = null)
    {
        var request = new HttpRequestMessage(HttpMethod.Post, "/jobs")
        {
            Content = new StringContent(body, Encoding.UTF8, "application/json"),
        };
        request.Headers.TryAddWithoutValidation("Idempotency-Key", key);
        using var response = await (http ?? Http).SendAsync(request);
        return (response.StatusCode, JsonNode.Parse(await response.Content.ReadAsStringAsync())!);
    }
}
