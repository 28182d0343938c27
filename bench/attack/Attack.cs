namespace Temper.Bench.Attack;

/// <summary>A flood by several attackers at once.</summary>
/// <param name="Part">The part of the benchmark that it belongs to.</param>
/// <param name="Attackers">Attackers at once.</param>
/// <param name="RunAsync">One attempt of an attacker, repeated until the time is up. It returns what became of it.</param>
/// <param name="Https">Whether the API serves HTTPS and HTTP/2.</param>
/// <param name="Before">Runs once before the attack.</param>
internal sealed record Attack(
    string Part,
    string Name,
    int Attackers,
    Func<Victim, CancellationToken, Task<string>> RunAsync,
    bool Https = false,
    Action? Before = null
);

/// <summary>The API under attack, and what attackers need.</summary>
internal sealed record Victim(ApiProcess Api, bool Https)
{
    private long sent,
        streams;

    public Uri Address => Api.Http.BaseAddress!;

    /// <summary>Bytes that the attackers have sent.</summary>
    public long Sent => Interlocked.Read(ref sent);

    /// <summary>Streams of HTTP/2 that the attackers have opened.</summary>
    public long Streams => Interlocked.Read(ref streams);

    public void CountBytes(long bytes) => Interlocked.Add(ref sent, bytes);

    public void CountStreams(long count) => Interlocked.Add(ref streams, count);
}
