namespace Temper.Api.Verbs;

/// <summary>
/// `Temper.Api health`: asks the API of the same settings on this machine for /health/live. Images without a shell and curl use it
/// as their health check.
/// </summary>
internal static class HealthVerb
{
    /// <param name="urls">The addresses on which the API listens, separated by semicolons.</param>
    /// <returns>The exit code: 0 when the API answers 200, otherwise 1.</returns>
    public static async Task<int> RunAsync(string? urls)
    {
        // A host such as * or + is no host of a URI.
        var address = BindingAddress.Parse((urls ?? "http://localhost:5000").Split(';')[0]);
        // The certificate is for the service's name, not for 127.0.0.1.
        using var handler = new HttpClientHandler
        {
            ServerCertificateCustomValidationCallback = HttpClientHandler.DangerousAcceptAnyServerCertificateValidator,
        };
        using var http = new HttpClient(handler) { Timeout = TimeSpan.FromSeconds(3) };
        try
        {
            using var answer = await http.GetAsync($"{address.Scheme}://127.0.0.1:{address.Port}/health/live");
            return answer.IsSuccessStatusCode ? 0 : 1;
        }
        catch (Exception e) when (e is HttpRequestException or TaskCanceledException)
        {
            await Console.Error.WriteLineAsync(e.Message);
            return 1;
        }
    }
}
