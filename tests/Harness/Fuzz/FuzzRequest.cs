using System.Text;

namespace Temper.Harness.Fuzz;

/// <summary>A request as it is sent. Its text contains all that is needed to send it again.</summary>
/// <param name="Target">Path and query exactly as the client sends them.</param>
/// <param name="Small">Whether the request is a valid submission of a job that trains for a moment.</param>
public sealed record FuzzRequest(
    Operation Operation,
    string Method,
    string Target,
    IReadOnlyList<(string Name, string Value)> Headers,
    byte[]? Body,
    bool Chunked,
    bool Small = false
)
{
    /// <summary>
    /// Whether a header has a character outside ASCII, which the client sends as Latin-1. Kestrel reads headers as UTF-8: it answers
    /// 400 and closes the connection before it has read the body, so a client that still sends may see no answer.
    /// </summary>
    public bool HasMalformedHeader => Headers.Any(header => !Ascii.IsValid(header.Value));

    public HttpRequestMessage Message(Uri api)
    {
        // The option keeps Uri from normalizing a target that is malformed on purpose.
        var uri = new Uri(
            $"http://{api.Authority}{Target}",
            new UriCreationOptions { DangerousDisablePathAndQueryCanonicalization = true }
        );
        var message = new HttpRequestMessage(new(Method), uri);
        if (Body is not null)
            message.Content = new ByteArrayContent(Body);
        if (Chunked)
            message.Headers.TransferEncodingChunked = true;
        foreach (var (name, value) in Headers)
        {
            if (name.StartsWith("Content-", StringComparison.OrdinalIgnoreCase))
                message.Content?.Headers.TryAddWithoutValidation(name, value);
            else
                message.Headers.TryAddWithoutValidation(name, value);
        }
        return message;
    }

    public override string ToString()
    {
        var text = new StringBuilder($"{Method} {Target}");
        foreach (var (name, value) in Headers)
            text.Append($"\n  {name}: {value}");
        if (Chunked)
            text.Append("\n  Transfer-Encoding: chunked");
        if (Body is null)
            return text.ToString();
        text.Append($"\n  body, {Body.Length} bytes, base64: {Convert.ToBase64String(Body)}");
        if (Body.Length <= 2000)
            text.Append($"\n  as text: {Encoding.UTF8.GetString(Body)}");
        return text.ToString();
    }
}
