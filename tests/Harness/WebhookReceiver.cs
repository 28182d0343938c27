using System.Collections.Concurrent;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace Temper.Harness;

/// <summary>A request that a receiver got.</summary>
public sealed record ReceivedWebhook(string Path, string Body, IReadOnlyDictionary<string, string> Headers)
{
    public string Id => Headers["webhook-id"];
}

/// <summary>An HTTP server on a free port of this machine that receives notifications.</summary>
public sealed class WebhookReceiver : IAsyncDisposable
{
    private readonly WebApplication app;
    private readonly ConcurrentQueue<ReceivedWebhook> received = new();

    private WebhookReceiver(Func<ReceivedWebhook, HttpResponse, Task> answer)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        app = builder.Build();
        app.Run(async context =>
        {
            using var body = new StreamReader(context.Request.Body);
            var headers = context.Request.Headers.ToDictionary(header => header.Key.ToLowerInvariant(), header => header.Value.ToString());
            var request = new ReceivedWebhook(context.Request.Path, await body.ReadToEndAsync(), headers);
            received.Enqueue(request);
            await answer(request, context.Response);
        });
    }

    /// <summary>Such as `http://127.0.0.1:41234`.</summary>
    public string Address => app.Urls.Single();

    /// <summary>The requests so far, in the order of their arrival.</summary>
    public IReadOnlyList<ReceivedWebhook> Received => [.. received];

    /// <param name="answer">Answers a request.</param>
    public static async Task<WebhookReceiver> StartAsync(Func<ReceivedWebhook, HttpResponse, Task> answer)
    {
        var receiver = new WebhookReceiver(answer);
        await receiver.app.StartAsync();
        return receiver;
    }

    /// <param name="status">Gives the status of the answer to a request.</param>
    public static Task<WebhookReceiver> StartAsync(Func<ReceivedWebhook, int> status) =>
        StartAsync(
            (request, response) =>
            {
                response.StatusCode = status(request);
                return Task.CompletedTask;
            }
        );

    public async ValueTask DisposeAsync()
    {
        using var enough = new CancellationTokenSource(TimeSpan.Zero); // open requests end
        await app.StopAsync(enough.Token);
        await app.DisposeAsync();
    }
}
