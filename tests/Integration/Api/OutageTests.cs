using System.Diagnostics;
using System.Net;

namespace Temper.Integration.Api;

public class OutageTests
{
    [Fact]
    public async Task Request_WhileTheDatabaseIsAway_Is503AndRecoversByItself()
    {
        await using var database = await TestDatabase.CreateAsync();
        using var proxy = new TcpProxy(database.ConnectionString);
        await using var api = await ApiProcess.StartAsync(proxy.ConnectionString);
        var id = await api.SubmitAsync(
            new
            {
                dataset = "mnist",
                epsilon = 0.1,
                epochs = 3,
            }
        );

        proxy.Cut();

        var response = await api.Http.GetAsync($"/jobs/{id}");
        Assert.Equal(HttpStatusCode.ServiceUnavailable, response.StatusCode);
        Assert.Equal("application/problem+json", response.Content.Headers.ContentType?.MediaType);
        Assert.NotNull(response.Headers.RetryAfter);
        Assert.Equal(HttpStatusCode.OK, (await api.Http.GetAsync("/health/live")).StatusCode);
        // The API checks the database at most once a second.
        await Eventually.TrueAsync(async () => (await api.Http.GetAsync("/health/ready")).StatusCode == HttpStatusCode.ServiceUnavailable);

        proxy.Mend();

        await Eventually.TrueAsync(() => api.AnswersAsync($"/jobs/{id}"));
        await Eventually.TrueAsync(() => api.AnswersAsync("/health/ready"));
    }

    [Fact]
    public async Task Request_WhileTheDatabaseIsSilent_Is503Soon()
    {
        await using var database = await TestDatabase.CreateAsync();
        using var proxy = new TcpProxy(database.ConnectionString);
        await using var api = await ApiProcess.StartAsync(proxy.ConnectionString);
        var id = await api.SubmitAsync(
            new
            {
                dataset = "mnist",
                epsilon = 0.1,
                epochs = 3,
            }
        );

        proxy.Silence();

        var start = Stopwatch.GetTimestamp();
        var answers = await Task.WhenAll(
            Enumerable
                .Range(0, 40)
                .Select(async i =>
                {
                    var request = new HttpRequestMessage(HttpMethod.Get, $"/jobs/{id}");
                    if (i % 2 == 0)
                        request.Headers.IfNoneMatch.Add(new("\"known\"")); // these requests share one query
                    await Task.Delay(i * 10);
                    return await api.Http.SendAsync(request);
                })
        );
        Assert.All(answers, answer => Assert.Equal(HttpStatusCode.ServiceUnavailable, answer.StatusCode));
        Assert.InRange(Stopwatch.GetElapsedTime(start).TotalSeconds, 0, 20); // the default limit of Npgsql would be 30 s

        proxy.Mend();

        await Eventually.TrueAsync(() => api.AnswersAsync($"/jobs/{id}"));
    }

    [Fact]
    public async Task Start_BeforeTheDatabase_Answers503UntilItComes()
    {
        await using var database = await TestDatabase.CreateEmptyAsync();
        using var proxy = new TcpProxy(database.ConnectionString);
        proxy.Cut();
        await using var api = ApiProcess.Start(proxy.ConnectionString);
        await Eventually.TrueAsync(() => api.AnswersAsync("/health/live"));

        Assert.Equal(HttpStatusCode.ServiceUnavailable, (await api.Http.GetAsync("/health/ready")).StatusCode);
        var refused = await api.Http.GetAsync("/jobs");
        Assert.Equal(HttpStatusCode.ServiceUnavailable, refused.StatusCode);
        Assert.NotNull(refused.Headers.RetryAfter);

        proxy.Mend();

        await Eventually.TrueAsync(() => api.AnswersAsync("/jobs"));
    }
}
