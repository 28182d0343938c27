namespace Temper.Api.Http;

/// <summary>The names of operations in generated clients and in the audit, such as listJobs, submitJob or cancelJob.</summary>
internal static class OperationIds
{
    /// <param name="path">The route's pattern, such as `/jobs/{id}`.</param>
    /// <returns>Null for a shape of route without a line here.</returns>
    public static string? Of(string? method, string path)
    {
        string[] parts = path.Trim('/').Split('/');
        if (parts[0] is "" or "hangfire")
            return null;
        var all = Capital(parts[0]);
        var one = all == "Studies" ? "Study" : all.TrimEnd('s');
        return (method, parts) switch
        {
            ("GET", ["version"]) => "getVersion",
            ("GET", ["events"]) => "streamEvents",
            ("GET", [_, _, "events"]) => $"stream{one}Events",
            ("GET", ["session"]) => "getSession",
            ("POST", ["session"]) => "signIn",
            ("DELETE", ["session"]) => "signOut",
            ("POST", ["datasets"]) => "addDataset",
            ("POST", ["keys"]) => "createKey",
            ("GET", [_, _, "samples.png"]) => $"get{one}Samples",
            ("GET", [_, _, "mean.png"]) => $"get{one}Mean",
            ("GET", [_]) => $"list{all}",
            ("POST", [_]) => $"submit{one}",
            ("GET", [_, _]) => $"get{one}",
            ("DELETE", [_, _]) => $"delete{one}",
            ("GET", [_, _, var part]) => $"get{one}{Capital(part)}",
            ("PUT", [_, _]) => $"set{one}",
            ("POST", [_, _, var verb]) => $"{verb}{one}",
            _ => null,
        };

        static string Capital(string word) => $"{char.ToUpperInvariant(word[0])}{word[1..]}";
    }

    /// <returns>The id of the request's operation; its method and path where the API's description has none.</returns>
    public static string Of(HttpContext context) =>
        (context.GetEndpoint() is RouteEndpoint { RoutePattern.RawText: { } pattern } ? Of(context.Request.Method, pattern) : null)
        ?? $"{context.Request.Method} {context.Request.PathBase}{context.Request.Path}";
}
