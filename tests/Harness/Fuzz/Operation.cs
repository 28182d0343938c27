using System.Text.Json.Nodes;

namespace Temper.Harness.Fuzz;

/// <summary>One operation of the API's OpenAPI document.</summary>
/// <param name="Path">The path, with its parameters in braces.</param>
/// <param name="BodyType">The first media type of its body.</param>
public sealed record Operation(
    string Method,
    string Path,
    IReadOnlyList<string> QueryParameters,
    IReadOnlyList<string> Headers,
    bool TakesBody,
    string BodyType = "application/json"
)
{
    /// <summary>Every operation of the document, so that the fuzzer also covers routes that are added later.</summary>
    public static IReadOnlyList<Operation> All(JsonNode document) =>
        [
            .. document["paths"]!
                .AsObject()
                .SelectMany(path =>
                    path.Value!.AsObject()
                        .Where(operation => operation.Value is JsonObject body && body.ContainsKey("responses"))
                        .Select(operation => new Operation(
                            operation.Key.ToUpperInvariant(),
                            path.Key,
                            Names(path.Value!, operation.Value!, "query"),
                            Names(path.Value!, operation.Value!, "header"),
                            operation.Value!["requestBody"] is not null,
                            operation.Value["requestBody"]?["content"]?.AsObject().First().Key ?? "application/json"
                        ))
                ),
        ];

    /// <summary>
    /// Whether the operation can change only the job that its path names, or create a new one. A fuzzer must not send other
    /// operations beside the jobs of others.
    /// </summary>
    public bool TouchesOnlyItsOwn => Method is "GET" or "HEAD" || Path.Contains("{id}") || (Method, Path) == ("POST", "/jobs");

    public override string ToString() => $"{Method} {Path}";

    private static string[] Names(JsonNode path, JsonNode operation, string place) =>
        [
            .. new[] { path["parameters"], operation["parameters"] }
                .OfType<JsonArray>()
                .SelectMany(list => list)
                .Where(parameter => parameter!["in"]?.GetValue<string>() == place)
                .Select(parameter => parameter!["name"]!.GetValue<string>()),
        ];
}
