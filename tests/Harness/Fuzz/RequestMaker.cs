using System.Text.RegularExpressions;
using Temper.Domain;

namespace Temper.Harness.Fuzz;

/// <summary>
/// Makes requests: it takes the operations in turn, those with a body more often, and draws everything else at random.
/// </summary>
internal sealed partial class RequestMaker(IReadOnlyList<Operation> operations, SplitMix64 random)
{
    private static readonly string[] Methods = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND", "BREW"];

    private static readonly string[] ContentTypes =
    [
        "application/json",
        "application/json; charset=utf-8",
        "application/json; charset=utf-16",
        "application/json; charset=nonsense",
        "application/problem+json",
        "text/plain",
        "text/json",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "application/octet-stream",
        "",
        "nonsense",
        "a/b;c",
    ];

    private static readonly string[] Headers =
    [
        "Accept",
        "Accept-Encoding",
        "Accept-Language",
        "Authorization",
        "Cookie",
        "If-None-Match",
        "If-Match",
        "If-Modified-Since",
        "Range",
        "If-Range",
        "Origin",
        "Referer",
        "X-Forwarded-For",
        "X-Forwarded-Proto",
        "X-HTTP-Method-Override",
        "Prefer",
        "X-Unknown",
    ];

    private const int TurnsWithBody = 4;

    private readonly Operation[] turns =
    [
        .. operations.SelectMany(operation => Enumerable.Repeat(operation, operation.TakesBody ? TurnsWithBody : 1)),
    ];
    private int turn;

    /// <param name="known">Values for the parameter in an operation's path, such as ids. A fuzzer beside the jobs of others gives only
    /// those of its own.</param>
    public FuzzRequest Next(Func<Operation, IReadOnlyList<string>> known)
    {
        var operation = turns[turn++ % turns.Length];
        if ((operation.Method, operation.Path) == ("POST", "/jobs") && Chance(0.03))
            return new(
                operation,
                "POST",
                "/jobs",
                [("Content-Type", "application/json"), ("Idempotency-Key", Key())],
                SpecBodies.Small(random),
                false,
                Small: true
            );

        // Uses another method on the same path, unless that is an operation too, because each operation has its own turn.
        var method =
            Chance(0.1)
            && Methods[random.NextInt32(Methods.Length)] is var other
            && !operations.Any(o => o.Path == operation.Path && o.Method == other)
                ? other
                : operation.Method;
        var target =
            PathParameter().Replace(operation.Path, _ => Id(known(operation)))
            + (Chance(0.05) ? Escape(Rubbish.Text(random)) : "")
            + Query(operation);
        var body = method is not ("HEAD" or "TRACE") && Chance(operation.TakesBody ? 0.95 : 0.15) ? SpecBodies.Broken(random) : null;
        return new(operation, method, target, [.. HeadersFor(operation, body is not null)], body, Chunked: body is not null && Chance(0.2));
    }

    private IEnumerable<(string, string)> HeadersFor(Operation operation, bool hasBody)
    {
        if (hasBody && Chance(0.95))
            yield return ("Content-Type", Chance(0.75) ? "application/json" : ContentTypes[random.NextInt32(ContentTypes.Length)]);
        if (hasBody && Chance(0.03))
            yield return ("Content-Encoding", Chance(0.5) ? "gzip" : Line(Rubbish.Text(random)));
        foreach (var name in operation.Headers)
            if (Chance(0.4))
                yield return (name, Chance(0.5) ? Key() : Line(Rubbish.Text(random)));
        for (var i = Chance(0.4) ? 1 + random.NextInt32(3) : 0; i > 0; i--)
            yield return (Headers[random.NextInt32(Headers.Length)], Line(Rubbish.Text(random)));
    }

    private string Query(Operation operation)
    {
        var pairs = new List<string>();
        foreach (var name in operation.QueryParameters)
            if (Chance(0.4))
                pairs.Add($"{name}={Escape(Rubbish.Text(random))}");
        if (Chance(0.08))
            pairs.Add($"{Escape(Rubbish.Text(random))}={Escape(Rubbish.Text(random))}");
        if (pairs.Count > 0 && Chance(0.05))
            pairs.Add(pairs[0]);
        if (Chance(0.02))
            pairs.Add("%zz=%"); // an invalid percent escape
        return pairs.Count == 0 ? "" : $"?{string.Join('&', pairs)}";
    }

    private string Id(IReadOnlyList<string> known) =>
        random.NextInt32(10) switch
        {
            < 7 when known.Count > 0 => known[random.NextInt32(known.Count)] is var one && Guid.TryParse(one, out var id)
                ? Written(id)
                : Uri.EscapeDataString(one),
            < 9 => Written(new Guid([.. BitConverter.GetBytes(random.NextUInt64()), .. BitConverter.GetBytes(random.NextUInt64())])),
            // Without an id the path would be that of the list.
            _ => Escape(Rubbish.Text(random)) is { Length: > 0 } text ? text : "-",
        };

    private string Written(Guid id) =>
        id.ToString(
            random.NextInt32(20) switch
            {
                0 => "N",
                1 => "B",
                2 => "P",
                3 => "X",
                _ => "D",
            }
        );

    /// <summary>A key of the fuzzer's own kind, never the key of another's job.</summary>
    private string Key() => $"fuzz-{random.NextInt32(1000)}";

    private bool Chance(double share) => random.NextDouble() < share;

    private static string Escape(string text) => Uri.EscapeDataString(text.Length <= 2000 ? text : text[..2000]);

    /// <summary>Removes what the client does not send in a header: line breaks, NUL and characters beyond Latin-1.</summary>
    private static string Line(string text) => new([.. text.Where(c => c is not ('\r' or '\n' or '\0') && c < 256)]);

    [GeneratedRegex(@"\{[^}]*\}")]
    private static partial Regex PathParameter();
}
