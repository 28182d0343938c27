using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Temper.Cli.Http;

/// <summary>The user gave something that cannot be sent to the service.</summary>
internal sealed class UsageException(string message, Exception? inner = null) : Exception(message, inner);

/// <summary>The service does not answer, answers 5xx, or answers otherwise than a Temper service does.</summary>
internal sealed class UnreachableException(string message, Exception? inner = null) : Exception(message, inner);

/// <summary>The service refused the request with a 4xx.</summary>
/// <param name="status">The HTTP status.</param>
/// <param name="document">The body, which is a problem document when the service itself answered.</param>
internal sealed class RefusedException(int status, string document, string? reason) : Exception(new Problem(document, reason).Message)
{
    public int Status => status;

    /// <summary>The answer as the service gave it.</summary>
    public string Document => document;
}

/// <summary>A problem document (RFC 9457) as text: title and detail, then a line for each message about a wrong field.</summary>
internal sealed class Problem(string document, string? reason)
{
    public string Message { get; } = Describe(document) ?? $"{reason}";

    private static string? Describe(string document)
    {
        try
        {
            if (JsonNode.Parse(document) is not JsonObject problem)
                return null;
            var text = new StringBuilder($"{problem["title"]} {problem["detail"]}".Trim());
            foreach (var (field, messages) in problem["errors"] as JsonObject ?? [])
            foreach (var message in messages as JsonArray ?? [])
                text.Append($"\n  {field}: {message}");
            return text.ToString();
        }
        catch (JsonException)
        {
            return null;
        }
    }
}
