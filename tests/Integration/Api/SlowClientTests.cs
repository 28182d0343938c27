using System.Net;
using System.Net.Sockets;
using System.Text;
using Temper.Domain.Jobs;

namespace Temper.Integration.Api;

/// <summary>Tests that a client that reads or sends slowly delays only itself.</summary>
public class SlowClientTests(ApiFixture fixture) : OwnJobsTest(fixture)
{
    /// <summary>More connections than the API serves at once, and answers that are larger than the buffers of a socket.</summary>
    private const int Connections = 66,
        AtOnce = 64,
        PagesOfOneClient = 4,
        Pipelined = 6,
        Epochs = 10_000,
        WeightBytes = 12 << 20;

    private static readonly JobResult Result = new(0.99, 0.04, 0.01, -0.005, 1, "cpu", 2, "libtorch", "aa", [], "dd", "bb");

    [Theory]
    [InlineData("/swagger/swagger-ui-bundle.js", PagesOfOneClient)]
    [InlineData("/jobs/{id}/metrics", AtOnce)]
    [InlineData("/jobs/{id}/model", AtOnce)]
    public async Task Answers_ThatNobodyReads_KeepNobodyWaiting(string route, int begun)
    {
        var id = await Api.SubmitAsync(Spec);
        var job = await ClaimAsync();
        await Queue.ReportAsync(job, [.. Enumerable.Range(1, Epochs).Select(epoch => Metrics with { Epoch = epoch })], null, default);
        Assert.True(await Queue.SucceedAsync(job, Result, new(new byte[WeightBytes], null), default));
        var request = string.Concat(
            Enumerable.Repeat($"GET {route.Replace("{id}", $"{id}")} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", Pipelined)
        );

        using var clients = await ClientsAsync(request);
        await Eventually.TrueAsync(() => Task.FromResult(clients.Answered >= begun));

        await AssertServedAsync(id);
    }

    [Fact]
    public async Task Bodies_ThatNobodySends_KeepNobodyWaiting()
    {
        var id = await Api.SubmitAsync(Spec);

        // The interim answer shows that the API waits for the body.
        using var clients = await ClientsAsync(
            "POST /jobs HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: 1000\r\nExpect: "
                + "100-continue\r\n\r\n"
        );
        await Eventually.TrueAsync(() => Task.FromResult(clients.Answered >= AtOnce));

        await AssertServedAsync(id);
    }

    [Fact]
    public async Task Reports_OfManyAtOnce_WaitForTheirTurnWithABoundAndKeepNobodyWaiting()
    {
        var test = SimulatedLogits.Draw(2000, 1.5, 3);
        var id = await Api.SubmitAsync(Spec);
        Assert.True(await Queue.SucceedAsync(await ClaimAsync(), Result, new([1], StoredLogits.Of(test, test, null)), default));

        var reports = Enumerable.Range(0, 60).Select(seed => Http.GetAsync($"/jobs/{id}/calibration?seed={seed}")).ToArray();
        var refused = await await Task.WhenAny(reports);
        await AssertServedAsync(id);
        var answers = await Task.WhenAll(reports);

        Assert.All(answers, answer => Assert.Contains(answer.StatusCode, new[] { HttpStatusCode.OK, HttpStatusCode.ServiceUnavailable }));
        var turnedAway = answers.First(answer => answer.StatusCode == HttpStatusCode.ServiceUnavailable);
        Assert.NotNull(turnedAway.Headers.RetryAfter);
        Assert.Equal("application/problem+json", turnedAway.Content.Headers.ContentType?.MediaType);
        Assert.Contains(answers, answer => answer.StatusCode == HttpStatusCode.OK);
        Assert.NotNull(refused);
    }

    private async Task AssertServedAsync(Guid id)
    {
        // On a busy machine the API takes a while to make the answers that no client reads.
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        foreach (var path in new[] { "/jobs", $"/jobs/{id}", "/workers", "/studies", "/health/ready" })
            Assert.Equal(HttpStatusCode.OK, (await Http.GetAsync(path, limit.Token)).StatusCode);
    }

    private async Task<SlowClients> ClientsAsync(string request)
    {
        var clients = new SlowClients();
        for (var i = 0; i < Connections; i++)
            await clients.ConnectAsync(Http.BaseAddress!, Encoding.ASCII.GetBytes(request));
        return clients;
    }

    /// <summary>Connections that have sent a request and never read the answer.</summary>
    private sealed class SlowClients : IDisposable
    {
        private readonly List<Socket> sockets = [];

        public int Answered => sockets.Count(socket => socket.Available > 0);

        public async Task ConnectAsync(Uri address, byte[] request)
        {
            var socket = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp) { ReceiveBufferSize = 4096 };
            sockets.Add(socket);
            await socket.ConnectAsync(address.Host, address.Port);
            await socket.SendAsync(request);
        }

        public void Dispose() => sockets.ForEach(socket => socket.Dispose());
    }
}
