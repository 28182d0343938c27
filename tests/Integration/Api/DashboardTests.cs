using System.Net;
using System.Text;
using Hangfire;
using Hangfire.Common;
using Hangfire.PostgreSql;
using Hangfire.States;
using Temper.Store.Engine;

namespace Temper.Integration.Api;

/// <summary>Tests Hangfire's dashboard at /hangfire.</summary>
public class DashboardTests(ApiFixture fixture) : ApiTest(fixture)
{
    private PostgreSqlStorage Storage =>
        EngineStorage.Open(Database.ConnectionString, new AttemptQueue(Database.DataSource), connections: 4, commandSeconds: 10);

    [Theory]
    [InlineData("/hangfire")]
    [InlineData("/hangfire/jobs/processing")]
    [InlineData("/hangfire/jobs/enqueued")]
    [InlineData("/hangfire/servers")]
    [InlineData("/hangfire/recurring")]
    public async Task Page_OfTheDashboard_LoadsNothingFromElsewhere(string path)
    {
        var response = await Http.GetAsync(path);

        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        var policy = Assert.Single(response.Headers.GetValues("Content-Security-Policy"));
        Assert.Contains("default-src 'none'; script-src 'self'", policy);
        Assert.DoesNotContain("unsafe", policy);
        Assert.Contains("href=\"/\"", await response.Content.ReadAsStringAsync()); // the link back to the site
    }

    [Fact]
    public async Task Page_OfATraining_LeadsToItsJobAndCannotRequeueIt()
    {
        var job = Guid.CreateVersion7();
        var id = Create(
            Job.FromExpression<ITraining>(training => training.TrainAsync(job, 3, "digits, ε 0.1, attempt 3"), EngineStorage.Trainings),
            new ExpiringFailure(new AttemptFailedException("It crashed."))
        );

        var page = await Http.GetStringAsync($"/hangfire/jobs/details/{id}");

        Assert.Contains("digits, ε 0.1, attempt 3", WebUtility.HtmlDecode(page));
        Assert.Contains($"<a href=\"/#/jobs/{job}\">", page);
        Assert.DoesNotContain("data-ajax=\"/hangfire/jobs/actions/requeue", page);
        foreach (var command in new[] { $"jobs/actions/requeue/{id}", $"jobs/actions/delete/{id}" })
            Assert.Equal(HttpStatusCode.Unauthorized, (await PostAsync(command)).StatusCode);
        Assert.Equal(HttpStatusCode.Unauthorized, (await PostAsync("jobs/failed/requeue", ("jobs[]", id))).StatusCode);
        Assert.Equal("Failed", await StateAsync(id));
    }

    /// <summary>The job's own filter refuses a request that does not come through the dashboard.</summary>
    [Fact]
    public async Task Requeue_OfATrainingBesideTheDashboard_IsRefused()
    {
        var id = Create(
            Job.FromExpression<ITraining>(training => training.TrainAsync(Guid.NewGuid(), 1, ""), EngineStorage.Trainings),
            new ExpiringFailure(new AttemptFailedException("It crashed."))
        );

        var error = Assert.ThrowsAny<Exception>(() => new BackgroundJobClient(Storage).Requeue(id));

        Assert.Contains("POST /jobs/{id}/retry", error.ToString());
        Assert.Equal("Failed", await StateAsync(id));
    }

    [Theory]
    [InlineData("GET", "jobs/details/abc", null, HttpStatusCode.NotFound)]
    [InlineData("GET", "jobs/details/99999999999999999999", null, HttpStatusCode.NotFound)]
    [InlineData("POST", "jobs/failed/requeue", "jobs[]=abc", HttpStatusCode.NotFound)]
    [InlineData("POST", "jobs/failed/requeue", "jobs[]=%00", HttpStatusCode.BadRequest)]
    [InlineData("POST", "jobs/failed/requeue", "jobs[]=%2B12", HttpStatusCode.NotFound)]
    [InlineData("POST", "jobs/actions/requeue/%2B12", "", HttpStatusCode.NotFound)]
    [InlineData("PUT", "jobs/failed/requeue", "jobs[]=1", HttpStatusCode.MethodNotAllowed)]
    [InlineData("POST", "recurring/trigger", "jobs[]=settle-studies", HttpStatusCode.NoContent)]
    [InlineData("POST", "recurring/trigger", "jobs[]=nonsense", HttpStatusCode.NoContent)]
    public async Task Request_ThatHangfireCannotRead_IsRefusedAndNeverAnError(
        string method,
        string path,
        string? form,
        HttpStatusCode expected
    )
    {
        var request = new HttpRequestMessage(new(method), $"/hangfire/{path}")
        {
            Content = form is null ? null : new StringContent(form, Encoding.UTF8, "application/x-www-form-urlencoded"),
        };

        Assert.Equal(expected, (await Http.SendAsync(request)).StatusCode);
    }

    [Fact]
    public async Task Form_WithoutABoundary_Is400()
    {
        var content = new ByteArrayContent([1]);
        content.Headers.TryAddWithoutValidation("Content-Type", "multipart/form-data");

        Assert.Equal(HttpStatusCode.BadRequest, (await Http.PostAsync("/hangfire/jobs/failed/requeue", content)).StatusCode);
    }

    [Fact]
    public async Task Requeue_OfAnOrdinaryJob_IsDone()
    {
        var id = Create(
            Job.FromExpression<Housekeeping>(housekeeping => housekeeping.SettleStudiesAsync()),
            new FailedState(new InvalidOperationException("It failed."))
        );

        Assert.Equal(HttpStatusCode.NoContent, (await PostAsync("jobs/failed/requeue", ("jobs[]", id))).StatusCode);

        Assert.Equal("Enqueued", await StateAsync(id));
    }

    [Theory]
    [InlineData("Sec-Fetch-Site", "cross-site", HttpStatusCode.Forbidden)]
    [InlineData("Sec-Fetch-Site", "same-site", HttpStatusCode.Forbidden)]
    [InlineData("Origin", "https://evil.example", HttpStatusCode.Forbidden)]
    [InlineData("Origin", "null", HttpStatusCode.Forbidden)]
    [InlineData("Sec-Fetch-Site", "same-origin", HttpStatusCode.NotFound)]
    [InlineData("Origin", "self", HttpStatusCode.NotFound)]
    [InlineData("Accept", "*/*", HttpStatusCode.NotFound)]
    public async Task Change_ThatAnotherSiteAsksFor_IsRefused(string header, string value, HttpStatusCode expected)
    {
        var request = new HttpRequestMessage(HttpMethod.Post, $"/jobs/{Guid.NewGuid()}/cancel");
        request.Headers.TryAddWithoutValidation(header, value == "self" ? Http.BaseAddress!.GetLeftPart(UriPartial.Authority) : value);

        Assert.Equal(expected, (await Http.SendAsync(request)).StatusCode);
    }

    private string Create(Job job, IState state)
    {
        using var connection = Storage.GetConnection();
        var id = connection.CreateExpiredJob(job, new Dictionary<string, string>(), DateTime.UtcNow, TimeSpan.FromHours(1));
        using var transaction = connection.CreateWriteTransaction();
        transaction.SetJobState(id, state);
        transaction.Commit();
        return id;
    }

    private Task<HttpResponseMessage> PostAsync(string command, params (string Name, string Value)[] form) =>
        Http.PostAsync(
            $"/hangfire/{command}",
            new FormUrlEncodedContent(form.Select(field => KeyValuePair.Create(field.Name, field.Value)))
        );

    private Task<string> StateAsync(string id) => Database.ScalarAsync<string>($"SELECT statename FROM hangfire.job WHERE id = {id}");
}
