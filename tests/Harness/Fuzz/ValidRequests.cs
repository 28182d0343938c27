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

    /// <summary>Two images for a model of digits.</summary>
    private static readonly byte[] Shown = NpzFiles.Pack(NpzFiles.Part("", 2, 28, 28, 1, 2)[0]);

    /// <param name="tenant">Whose names it has.</param>
    /// <param name="known">Values for the parameter in an operation's path, such as ids.</param>
    public FuzzRequest Next(FuzzTenant tenant, Func<Operation, IReadOnlyList<string>> known) =>
        Of(operations[random.NextInt32(operations.Count)], tenant, known);

    public FuzzRequest Of(Operation operation, FuzzTenant tenant, Func<Operation, IReadOnlyList<string>> known)
    {
        var target = Parameter().Replace(operation.Path, _ => Value(known(operation)));
        var (type, body, query) = Content(operation, tenant);
        List<(string, string)> headers = type is null ? [] : [("Content-Type", type)];
        // Both tenants use the same keys, each for its own requests.
        if (operation.Headers.Contains("Idempotency-Key") && random.NextInt32(3) == 0)
            headers.Add(("Idempotency-Key", $"fuzz-{random.NextInt32(50)}"));
        return new(operation, operation.Method, target + query, headers, body, Chunked: false);
    }

    /// <summary>The kind of thing that an operation's path names: its first part.</summary>
    public static string KindOf(Operation operation) => operation.Path.Split('/')[1];

    private string Value(IReadOnlyList<string> known) =>
        known.Count > 0 ? Uri.EscapeDataString(known[random.NextInt32(known.Count)]) : $"{Guid.CreateVersion7()}";

    private (string? Type, byte[]? Body, string Query) Content(Operation operation, FuzzTenant tenant)
    {
        var name = $"{tenant.Marker}-{random.NextInt32(1000)}";
        return (operation.Method, operation.Path) switch
        {
            ("POST", "/jobs") => Text($$"""{"dataset":"mnist",{{Job(name)}},"epsilon":0.{{random.NextInt32(10)}}}"""),
            ("POST", "/studies") => Text(
                $$"""{"name":"{{name}}","job":{"dataset":"digits",{{Job(name)}}},"epsilons":[0,0.1],"seeds":1{{Grid()}}}"""
            ),
            ("POST", "/studies/{id}/extend") => Text("""{"seeds":1}"""),
            ("POST", "/evaluations") => (File, Logits, $"?name={name}"),
            ("POST", "/datasets") => (File, Images, $"?name={tenant.Marker}-set-{random.NextInt32(20)}"),
            ("POST", "/jobs/{id}/predict") => (File, Shown, OneOf("", "?calibrator=vector", "?calibrator=isotonic")),
            ("GET", "/events" or "/jobs/{id}/events" or "/studies/{id}/events") when tenant.Known("events") is { Count: > 0 } ids => (
                null,
                null,
                OneOf("", $"?lastEventId={Value(ids)}")
            ),
            ("GET", "/jobs/{id}/logits") => (null, null, OneOf("?split=test", "?split=validation")),
            ("GET", "/jobs/{id}/model") => (null, null, OneOf("", "?format=onnx")),
            ("GET", "/jobs/{id}/calibration" or "/evaluations/{id}/calibration") => (null, null, OneOf("", "?resamples=0&bins=7")),
            ("POST", "/session") => Text($$"""{"key":"{{tenant.Keys[^1]}}"}"""),
            ("POST", "/keys") => Text($$"""{"name":"{{name}}","tenant":"{{tenant.Marker}}","scopes":["read"],"expires":"1h"}"""),
            // No quota that the requests of a run reach.
            ("PUT", "/tenants/{name}") => Text("""{"maxQueued":1000000,"maxUploadedBytes":1000000000000}"""),
            _ when operation.TakesBody => Text("{}"),
            _ => (null, null, ""),
        };
    }

    private string OneOf(params string[] texts) => texts[random.NextInt32(texts.Length)];

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
