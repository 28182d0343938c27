using System.Collections.Concurrent;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Json.Schema;

namespace Temper.Harness.Fuzz;

/// <summary>
/// Checks answers against the OpenAPI document: the status, the media type, and the body against its schema (OpenAPI 3.1 uses JSON
/// Schema 2020-12). It counts a documented property that an answer lacks, and an answer's property that no schema names.
/// </summary>
public sealed partial class DocumentedAnswers
{
    private const string Problem = "application/problem+json",
        SchemaBase = "https://temper.test/document";

    private static readonly EvaluationOptions Options = new() { OutputFormat = OutputFormat.List, RequireFormatValidation = true };

    private readonly JsonNode document;
    private readonly BuildOptions build = new() { Dialect = Dialect.Draft202012, SchemaRegistry = new() };
    private readonly ConcurrentDictionary<string, JsonSchema> schemas = new();

    /// <param name="document">The OpenAPI document.</param>
    public DocumentedAnswers(JsonNode document)
    {
        this.document = document;
        var all = new JsonObject
        {
            ["$schema"] = "https://json-schema.org/draft/2020-12/schema",
            ["$id"] = SchemaBase,
            ["$defs"] = document["components"]!["schemas"]!.DeepClone(),
        };
        build.SchemaRegistry.Register(JsonSchema.FromText(Moved(all), build));
    }

    /// <param name="request">What was sent.</param>
    /// <param name="type">The media type of the answer; null without one.</param>
    /// <param name="body">The body; null where it is a stream that was not read.</param>
    /// <returns>What the document does not allow; null when it allows the answer.</returns>
    public string? Mismatch(FuzzRequest request, int status, string? type, byte[]? body)
    {
        // Kestrel answers what it cannot read, and no route sees it.
        if (type is null && status is 400 or 414 or 431)
            return null;
        var responses = document["paths"]![request.Operation.Path]![request.Operation.Method.ToLowerInvariant()]!["responses"]!;
        if (!IsRouted(request))
            return MayBeAnotherRoute(request) ? null
                : status is >= 400 and < 500 ? ProblemMismatch(type, body, status)
                : $"{status} to a request that no operation takes";
        if (responses[$"{status}"] is not { } response)
            return $"{status} is not documented";
        var content = response["content"]?.AsObject();
        if (content is null || content.Count == 0)
            return body is null or { Length: 0 } || request.Method == "HEAD" ? null : $"{status} has an undocumented body of {type}";
        if (request.Method == "HEAD")
            return null;
        if (type is null || content[type] is not { } media)
            return $"{status} as {type ?? "nothing"}; documented are {string.Join(", ", content.Select(one => one.Key))}";
        if (body is null || !(type.EndsWith("/json", StringComparison.Ordinal) || type.EndsWith("+json", StringComparison.Ordinal)))
            return null;
        return media["schema"] is { } schema
            ? Invalid(schema, body) is { } wrong
                ? $"{status}: {wrong}"
                : null
            : null;
    }

    /// <summary>Whether the request's method and path are those of its operation, so that the operation answers it.</summary>
    public static bool IsRouted(FuzzRequest request)
    {
        if (request.Method != request.Operation.Method && (request.Method, request.Operation.Method) != ("HEAD", "GET"))
            return false;
        var (sent, template) = (request.Target.Split('?')[0].Split('/'), request.Operation.Path.Split('/'));
        return sent.Length == template.Length
            && sent.Zip(template).All(part => part.Second.StartsWith('{') ? IsValue(part.First, part.Second) : part.First == part.Second);
    }

    /// <summary>Whether a HEAD asks for another operation's GET, or Kestrel leaves a `.` or `..` of the path out.</summary>
    private bool MayBeAnotherRoute(FuzzRequest request) =>
        (request.Method == "HEAD" && document["paths"]![request.Operation.Path]!["get"] is not null)
        || request.Target.Split('?')[0].Split('/').Any(IsDots);

    private static bool IsDots(string part) => Uri.UnescapeDataString(part) is "." or "..";

    private static bool IsValue(string text, string parameter) =>
        parameter == "{id}" ? Guid.TryParse(Uri.UnescapeDataString(text), out _) : text.Length > 0 && !IsDots(text);

    private static string? ProblemMismatch(string? type, byte[]? body, int status) =>
        body is not { Length: > 0 } || type == Problem ? null : $"{status} as {type}, which is no problem";

    private string? Invalid(JsonNode schema, byte[] body)
    {
        var text = schema.ToJsonString();
        var built = schemas.GetOrAdd(text, _ => JsonSchema.FromText(Moved(schema), build));
        JsonDocument json;
        try
        {
            json = JsonDocument.Parse(body);
        }
        catch (JsonException e)
        {
            return $"no JSON: {e.Message}";
        }
        using (json)
        {
            var result = built.Evaluate(json.RootElement, Options);
            return result.IsValid ? null : Wrong(result);
        }
    }

    private static string Wrong(EvaluationResults result) =>
        string.Join(
            "; ",
            (result.Details ?? [])
                .Where(part => part.Errors is { Count: > 0 })
                .SelectMany(part =>
                    part.Errors!.Select(error => $"{Place().Replace($"{part.InstanceLocation}", "/*")} {error.Key}: {error.Value}")
                )
                .Distinct()
                .Take(4)
        );

    /// <summary>The text of a schema, whose references lead to the schema of the whole document.</summary>
    private static string Moved(JsonNode schema) => schema.ToJsonString().Replace("#/components/schemas/", $"{SchemaBase}#/$defs/");

    [GeneratedRegex("/[0-9]+")]
    private static partial Regex Place();
}
