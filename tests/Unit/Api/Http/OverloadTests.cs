using System.Net;
using Microsoft.AspNetCore.Http;
using Temper.Api.Http;

namespace Temper.Unit.Api.Http;

public sealed class OverloadTests : IDisposable
{
    private const int ReportsWaiting = 16;

    private readonly Overload overload = new();

    public void Dispose() => overload.Dispose();

    /// <summary>The test takes the 10 s that a report waits.</summary>
    [Fact]
    public async Task Turn_WhileOthersKeepTheirs_IsRefusedAfterAWait()
    {
        await TakeAllAsync();
        var context = Request();

        var turn = overload.TurnAsync(context, Turn.Report);

        Assert.False(turn.IsCompleted);
        Assert.Null(await turn.WaitAsync(TimeSpan.FromMinutes(1)));
        Assert.Equal(StatusCodes.Status503ServiceUnavailable, Overload.NoTurn(context, Turn.Report).StatusCode);
        Assert.Equal("10", context.Response.Headers.RetryAfter);
    }

    [Fact]
    public async Task Turn_OfMoreThanMayWait_IsRefusedAtOnce()
    {
        var taken = await TakeAllAsync();
        var waiting = Enumerable.Range(0, ReportsWaiting).Select(_ => overload.TurnAsync(Request(), Turn.Report)).ToList();

        var oneMore = overload.TurnAsync(Request(), Turn.Report);

        Assert.True(oneMore.IsCompleted);
        Assert.Null(await oneMore);
        taken[0].Dispose();
        Assert.NotNull(await waiting[0]); // the oldest first
        Assert.False(waiting[1].IsCompleted);
    }

    [Fact]
    public async Task Turn_OfAnotherKind_DoesNotWaitForReports()
    {
        await TakeAllAsync();

        Assert.NotNull(await overload.TurnAsync(Request(), Turn.Prediction));
        Assert.NotNull(await overload.TurnAsync(Request(), Turn.Evaluation));
    }

    private async Task<IReadOnlyList<IDisposable>> TakeAllAsync()
    {
        var taken = new List<IDisposable>();
        while (taken.Count < Overload.ReportsAtOnce)
            taken.Add((await overload.TurnAsync(Request(), Turn.Report))!);
        return taken;
    }

    private static DefaultHttpContext Request() => new() { Connection = { RemoteIpAddress = IPAddress.Loopback } };
}
