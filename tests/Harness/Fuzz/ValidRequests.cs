using System.Text;
using System.Text.RegularExpressions;
using Temper.Domain;

namespace Temper.Harness.Fuzz;

/// <summary>Requests that the API should accept, so that later requests find something to read, change and delete.</summary>
internal sealed partial class ValidRequests(IReadOnlyList<Operation> operations, SplitMix64 random)
{
    private const string Json = "application/json",
        File = "application/octet-stream";

    private static readonly byte[] Logits = NpzBytes.Of(
        ("logits", new[] { 2f, 0, 0, 0, 2, 0, 0, 0, 2, 1, 0, 0 }, [4, 3]),
        ("labels", new[] { 0L, 1, 2, 1 }, [4])
    );

    private static readonly byte[] Images = NpzFiles.Pack([
        .. NpzFiles.Part("", 24, 8, 8, 1, 2),
        .. NpzFiles.Part("test_", 4, 8, 8, 1, 2, 1),
    ]);

    /// <param name="tenant">Whose names it has, and whose things it is about.</param>
    /// <param name="other">The tenant whose ids it uses now and then.</param>
    public FuzzRequest Next(FuzzTenant tenant, FuzzTenant? other)
    {
        var operation = operations[random.NextInt32(operations.Count)];
        var owner = other is not null && random.NextInt32(4) == 0 ? other : tenant;
        var target = Parameter().Replace(operation.Path, _ => Value(owner, operation));
        var (type, body, query) = Content(operation, tenant.Marker);
        List<(string, string)> headers = type is null ? [] : [("Content-Type", type)];
        // Both tenants use the same keys, each for its own requests.
        if (operation.Headers.Contains("Idempotency-Key") && random.NextInt32(3) == 0)
            headers.Add(("Idempotency-Key", $"fuzz-{random.NextInt32(50)}"));
        return new(operation, operation.Method, target + query, headers, body, Chunked: false);
    }

    /// <summary>The kind of thing that an operation's path names: its first part.</summary>
    public static string KindOf(Operation operation) => operation.Path.Split('/')[1];

    private string Value(FuzzTenant owner, Operation operation) =>
        owner.Known(KindOf(operation)) is { Count: > 0 } known
            ? Uri.EscapeDataString(known[random.NextInt32(known.Count)])
            : $"{Guid.CreateVersion7()}";

    private (string? Type, byte[]? Body, string Query) Content(Operation operation, string marker)
    {
        var name = $"{marker}-{random.NextInt32(1000)}";
        return (operation.Method, operation.Path) switch
        {
            ("POST", "/jobs") => Text($$"""{"dataset":"mnist",{{Job(name)}},"epsilon":0.{{random.NextInt32(10)}}}"""),
            ("POST", "/studies") => Text(
                $$"""{"name":"{{name}}","job":{"dataset":"digits",{{Job(name)}}},"epsilons":[0,0.1],"seeds":1{{Grid()}}}"""
            ),
            ("POST", "/studies/{id}/extend") => Text("""{"seeds":1}"""),
            ("POST", "/evaluations") => (File, Logits, $"?name={name}"),
            ("POST", "/datasets") => (File, Images, $"?name={marker}-set-{random.NextInt32(20)}"),
            ("POST", "/jobs/{id}/predict") => (File, Images, ""),
            _ when operation.TakesBody => Text("{}"),
            _ => (null, null, ""),
        };
    }

    private string Grid() =>
        random.NextInt32(3) switch
        {
            0 => ""","grid":{"loss":["crossEntropy","focal","maxSuppression"],"gamma":[2,3],"mixup":[0,0.2]}""",
            1 => ""","grid":{"schedule":["constant","linear"]}""",
            _ => "",
        };

    /// <summary>A job that no worker takes: it asks for a device that does not exist.</summary>
    private static string Job(string name) =>
        $""" "name":"{name}","epochs":1,"device":"cuda","priority":-1000,"maxAttempts":1,"tags":["{name}"] """;

    private static (string?, byte[]?, string) Text(string json) => (Json, Encoding.UTF8.GetBytes(json), "");

    [GeneratedRegex(@"\{[^}]*\}")]
    private static partial Regex Parameter();
}
