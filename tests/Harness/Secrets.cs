using System.Collections.Concurrent;
using System.Text.RegularExpressions;
using Npgsql;

namespace Temper.Harness;

/// <summary>The secrets that tests give to processes or get from them. No process may print one.</summary>
public static partial class Secrets
{
    /// <summary>Shorter values, such as the password "temper", also occur as ordinary words.</summary>
    private const int Shortest = 12;

    private static readonly ConcurrentDictionary<string, bool> Known = new();

    public static void Add(string? secret)
    {
        if (secret is { Length: >= Shortest })
            Known[secret] = true;
    }

    /// <summary>Adds the secrets among the variables of a process: passwords of the database, and secrets of notifications.</summary>
    public static void AddFrom(IReadOnlyDictionary<string, string?> environment)
    {
        foreach (var (name, value) in environment)
            if (name.StartsWith("ConnectionStrings__", StringComparison.Ordinal) && value is not null)
                Add(new NpgsqlConnectionStringBuilder(value).Password);
            else if (name.EndsWith("Secret", StringComparison.Ordinal))
                Add(value);
    }

    /// <returns>A secret that the text contains, any key or any token (JWT); null when there is none.</returns>
    public static string? FindIn(string text) =>
        KeyOrToken().Match(text) is { Success: true } key
            ? key.Value
            : Known.Keys.FirstOrDefault(secret => text.Contains(secret, StringComparison.Ordinal));

    [GeneratedRegex(@"tmp_[A-Za-z0-9_-]{43}|eyJ[A-Za-z0-9_-]{8,}\.eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}")]
    private static partial Regex KeyOrToken();
}

/// <summary>Adds the values of cookies that the API sets to <see cref="Secrets"/>.</summary>
internal sealed class SecretsOfAnswers(HttpMessageHandler inner) : DelegatingHandler(inner)
{
    protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellation)
    {
        var response = await base.SendAsync(request, cancellation);
        if (response.Headers.TryGetValues("Set-Cookie", out var cookies))
            foreach (var cookie in cookies)
                Secrets.Add(cookie.Split(';')[0].Split('=', 2)[^1]);
        return response;
    }
}
