using System.Net.Http.Headers;
using System.Text.Json.Nodes;

namespace Temper.Harness;

/// <summary>An event as a client gets it.</summary>
/// <param name="Id">Null when the event has none.</param>
public sealed record SeenEvent(string Type, JsonNode Data, string? Id)
{
    /// <summary>The member of the data that the type names.</summary>
    public JsonNode Payload => Data[Type]!;

    /// <summary>The event without its id.</summary>
    public string Content => $"{Type} {Data.ToJsonString()}";
}

/// <summary>A client of a stream of server-sent events.</summary>
public sealed class EventStream : IDisposable
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(30);

    private readonly StreamReader lines;

    private EventStream(HttpResponseMessage response, StreamReader lines) => (Response, this.lines) = (response, lines);

    public HttpResponseMessage Response { get; }

    /// <summary>Number of comment lines so far.</summary>
    public int Comments { get; private set; }

    /// <param name="after">The Last-Event-ID; null without one.</param>
    public static async Task<HttpResponseMessage> AskAsync(HttpClient http, string path, string? after = null)
    {
        var request = new HttpRequestMessage(HttpMethod.Get, path);
        request.Headers.Accept.Add(new MediaTypeWithQualityHeaderValue("text/event-stream"));
        if (after is not null)
            request.Headers.TryAddWithoutValidation("Last-Event-ID", after);
        return await http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
    }

    /// <inheritdoc cref="AskAsync"/>
    public static async Task<EventStream> OpenAsync(HttpClient http, string path, string? after = null)
    {
        var response = await AskAsync(http, path, after);
        response.EnsureSuccessStatusCode();
        return new(response, new StreamReader(await response.Content.ReadAsStreamAsync()));
    }

    /// <returns>The next event; null when the stream has ended.</returns>
    public async Task<SeenEvent?> NextAsync()
    {
        var (type, data, id) = ("message", "", (string?)null);
        while (await LineAsync() is { } line)
        {
            if (line.Length == 0 && data.Length > 0)
                return new(type, JsonNode.Parse(data)!, id);
            var (field, value) = line.IndexOf(": ", StringComparison.Ordinal) is >= 0 and var at
                ? (line[..at], line[(at + 2)..])
                : (line, "");
            (type, data, id) = field switch
            {
                "event" => (value, data, id),
                "data" => (type, data + value, id),
                "id" => (type, data, value),
                _ => (type, data, id),
            };
        }
        return null;
    }

    /// <summary>Reads on until an event of this type comes.</summary>
    public async Task<SeenEvent> NextAsync(string type)
    {
        while (await NextAsync() is { } seen)
            if (seen.Type == type)
                return seen;
        throw new InvalidOperationException($"The stream ended without another {type}.");
    }

    /// <returns>All further events, when the stream has ended.</returns>
    public async Task<IReadOnlyList<SeenEvent>> RestAsync()
    {
        var all = new List<SeenEvent>();
        while (await NextAsync() is { } seen)
            all.Add(seen);
        return all;
    }

    /// <summary>Reads on until another comment line comes.</summary>
    public async Task CommentAsync()
    {
        var before = Comments;
        while (Comments == before)
            if (await LineAsync() is null)
                throw new InvalidOperationException("The stream ended.");
    }

    public void Dispose()
    {
        lines.Dispose();
        Response.Dispose();
    }

    private async Task<string?> LineAsync()
    {
        var line = await lines.ReadLineAsync().WaitAsync(Limit);
        if (line?.StartsWith(':') == true)
            Comments++;
        return line;
    }
}
