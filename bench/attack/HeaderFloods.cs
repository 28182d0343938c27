namespace Temper.Bench.Attack;

/// <summary>Header sections that are too many, too large or without an end.</summary>
internal static class HeaderFloods
{
    private const string Start = "GET /jobs HTTP/1.1\r\nHost: 127.0.0.1\r\n";

    public static IEnumerable<Attack> All =>
        [
            new("headers", "101 headers", 32, (victim, end) => AskAsync(victim, Lines(101, 1), end)),
            new("headers", "100,000 headers", 32, (victim, end) => AskAsync(victim, Lines(100_000, 1), end)),
            new("headers", "one header of 1 MiB", 32, (victim, end) => AskAsync(victim, Lines(1, 1 << 20), end)),
            new("headers", "a request line of 1 MiB", 32, LongLineAsync),
            new("headers", "headers without an end", 32, EndlessAsync),
        ];

    private static string Lines(int count, int length) =>
        string.Concat(Enumerable.Range(0, count).Select(i => $"x-{i}: {new string('a', length)}\r\n"));

    private static async Task<string> AskAsync(Victim victim, string lines, CancellationToken end)
    {
        await using var wire = await Wire.OpenAsync(victim, end);
        return await SendAndReadAsync(wire, $"{Start}{lines}\r\n", end);
    }

    private static async Task<string> LongLineAsync(Victim victim, CancellationToken end)
    {
        await using var wire = await Wire.OpenAsync(victim, end);
        return await SendAndReadAsync(wire, $"GET /jobs?{new string('a', 1 << 20)} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", end);
    }

    private static async Task<string> EndlessAsync(Victim victim, CancellationToken end)
    {
        await using var wire = await Wire.OpenAsync(victim, end);
        await wire.SendAsync(Start, end);
        while (true)
            try
            {
                await wire.SendAsync("x: y\r\n", end);
            }
            catch (IOException)
            {
                return "closed";
            }
    }

    /// <summary>Reads while it sends: the API answers before it has read all.</summary>
    private static async Task<string> SendAndReadAsync(Wire wire, string text, CancellationToken end)
    {
        var sending = wire.SendAsync(text, end);
        var status = await wire.StatusAsync(end);
        try
        {
            await sending;
        }
        catch (IOException)
        {
            // The API closes after its answer.
        }
        return status;
    }
}
