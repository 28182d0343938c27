using System.Diagnostics;
using System.Net;
using Temper.Store.Queue;

namespace Temper.Integration.Api;

public class EventOutageTests
{
    private static readonly object Spec = new
    {
        dataset = "mnist",
        epsilon = 0.1,
        epochs = 3,
    };

    [Fact]
    public async Task Stream_WhileTheDatabaseIsAway_StaysAndGoesOnAfterwards()
    {
        await using var database = await TestDatabase.CreateAsync();
        using var proxy = new TcpProxy(database.ConnectionString);
        await using var api = await ApiProcess.StartAsync(proxy.ConnectionString);
        var id = await api.SubmitAsync(Spec);
        using var stream = await EventStream.OpenAsync(api.Http, $"/jobs/{id}/events");
        var queued = await stream.NextAsync("state");

        proxy.Cut();

        await new JobQueue(database.DataSource).PauseAsync(id, default);
        await stream.CommentAsync();
        Assert.Equal(HttpStatusCode.ServiceUnavailable, (await EventStream.AskAsync(api.Http, $"/jobs/{id}/events", queued.Id)).StatusCode);

        proxy.Mend();

        Assert.Equal("paused", (await stream.NextAsync("state")).Payload["state"]!.GetValue<string>());
    }

    [Fact]
    public async Task Stream_AfterTheApiStopped_GoesOnAtAnother()
    {
        await using var database = await TestDatabase.CreateAsync();
        var queue = new JobQueue(database.DataSource);
        var limited = new Dictionary<string, string?> { ["Api__MaxStreams"] = "2" };
        await using var first = await ApiProcess.StartAsync(database.ConnectionString, limited);
        await using var second = await ApiProcess.StartAsync(database.ConnectionString);
        var id = await first.SubmitAsync(Spec);
        using var stream = await EventStream.OpenAsync(first.Http, $"/jobs/{id}/events");
        var queued = await stream.NextAsync("state");
        using var all = await EventStream.OpenAsync(first.Http, "/events");
        var refused = await EventStream.AskAsync(first.Http, "/events");
        Assert.Equal(HttpStatusCode.TooManyRequests, refused.StatusCode);
        Assert.NotNull(refused.Headers.RetryAfter);

        var clock = Stopwatch.StartNew();
        await first.SignalAsync("TERM");
        await first.WaitForExitAsync(TimeSpan.FromSeconds(60));

        Assert.InRange(clock.Elapsed.TotalSeconds, 0, 5); // it would be 30 s if Kestrel waited for the streams
        Assert.Empty(await stream.RestAsync());
        await queue.CancelAsync(id, default);
        using var next = await EventStream.OpenAsync(second.Http, $"/jobs/{id}/events", queued.Id);
        Assert.Equal("cancelled", (await next.RestAsync()).Single().Payload["state"]!.GetValue<string>());
    }
}
