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
        var id = await api.SubmitAsync(new { dataset = "mnist", epsilon = 0.1, epochs = 3 });

        proxy.Cut();

        var response = await api.Http.GetAsync($"/jobs/{id}");
        Assert.Equal(HttpStatusCode.ServiceUnavailable, response.StatusCode);
        Assert.Equal("application/problem+json", response.Content.Headers.ContentType?.MediaType);
        Assert.NotNull(response.Headers.RetryAfter);
        Assert.Equal(HttpStatusCode.ServiceUnavailable, (await api.Http.GetAsync("/health/ready")).StatusCode);
        Assert.Equal(HttpStatusCode.OK, (await api.Http.GetAsync("/health/live")).StatusCode);

        proxy.Mend();

        await Eventually.TrueAsync(() => api.AnswersAsync($"/jobs/{id}"));
        await Eventually.TrueAsync(() => api.AnswersAsync("/health/ready"));
    }

    [Fact]
    public async Task Start_BeforeTheDatabase_WaitsForIt()
    {
        await using var database = await TestDatabase.CreateEmptyAsync();
        using var proxy = new TcpProxy(database.ConnectionString);
        proxy.Cut();
        await using var api = ApiProcess.Start(proxy.ConnectionString);
        await Eventually.TrueAsync(() => Task.FromResult(api.Output.Contains("Waiting for the database")));

        proxy.Mend();

        await Eventually.TrueAsync(() => api.AnswersAsync("/jobs"));
    }
}
