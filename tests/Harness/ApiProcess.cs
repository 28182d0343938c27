using System.Diagnostics;
using System.Net;
using System.Net.Http.Json;
using System.Net.Sockets;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Temper.Harness;

/// <summary>The API on a free port, and a client for it.</summary>
public sealed class ApiProcess : TemperProcess
{
    private ApiProcess(Uri address, IReadOnlyDictionary<string, string?> environment, string? folder)
        : base("Api", environment, folder) =>
        Http = new HttpClient(
            new SecretsOfAnswers(new SocketsHttpHandler { SslOptions = { RemoteCertificateValidationCallback = (_, _, _, _) => true } })
        )
        {
            BaseAddress = address,
        };

    public HttpClient Http { get; }

    /// <param name="environment">Variables added to those that the API needs to run; a variable of the same name replaces the
    /// needed one.</param>
    /// <param name="address">The address that the API listens on; a free port of this machine when absent.</param>
    /// <param name="folder">The folder of the program; the build's output folder when null.</param>
    public static async Task<ApiProcess> StartAsync(
        string connectionString,
        IReadOnlyDictionary<string, string?>? environment = null,
        Uri? address = null,
        string? folder = null
    )
    {
        var api = Start(connectionString, environment, address, folder);
        await api.UntilReadyAsync(() => api.AnswersAsync("/health/ready"));
        return api;
    }

    /// <summary>Starts the API with HTTPS by Kestrel and a certificate that it signed itself.</summary>
    public static async Task<ApiProcess> StartWithHttpsAsync(
        string connectionString,
        IReadOnlyDictionary<string, string?>? environment = null
    )
    {
        var certificate = SelfSignedCertificate.Write();
        try
        {
            return await StartAsync(
                connectionString,
                new Dictionary<string, string?>(environment ?? new Dictionary<string, string?>())
                {
                    ["Kestrel__Certificates__Default__Path"] = certificate,
                },
                new Uri($"https://127.0.0.1:{FreePort()}")
            );
        }
        finally
        {
            File.Delete(certificate); // Kestrel has read it
        }
    }

    /// <summary>Starts the API without waiting until it serves.</summary>
    public static ApiProcess Start(
        string connectionString,
        IReadOnlyDictionary<string, string?>? environment = null,
        Uri? address = null,
        string? folder = null
    )
    {
        address ??= new Uri($"http://127.0.0.1:{FreePort()}");
        var needed = new Dictionary<string, string?>
        {
            ["ASPNETCORE_URLS"] = address.ToString(),
            ["ConnectionStrings__Temper"] = connectionString,
        };
        foreach (var (name, value) in environment ?? new Dictionary<string, string?>())
            needed[name] = value;
        return new(address, needed, folder);
    }

    /// <summary>Runs a verb of the API's program, such as `migrate`, to its end.</summary>
    public static async Task<CommandResult> RunVerbAsync(string connectionString, params string[] arguments)
    {
        var start = new ProcessStartInfo(Path.Combine(BuildOf("Api"), "Temper.Api"), arguments)
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        start.Environment["ConnectionStrings__Temper"] = connectionString;
        using var process = Process.Start(start)!;
        var errors = process.StandardError.ReadToEndAsync();
        var output = await process.StandardOutput.ReadToEndAsync();
        await process.WaitForExitAsync();
        return new(process.ExitCode, output, await errors);
    }

    public async Task<bool> AnswersAsync(string path)
    {
        try
        {
            return (await Http.GetAsync(path)).StatusCode == HttpStatusCode.OK;
        }
        catch (HttpRequestException)
        {
            return false;
        }
    }

    /// <returns>The submitted job's id.</returns>
    public async Task<Guid> SubmitAsync(object spec)
    {
        var response = await Http.PostAsJsonAsync("/jobs", spec);
        if (response.StatusCode != HttpStatusCode.Accepted)
            throw new InvalidOperationException(await response.Content.ReadAsStringAsync());
        return (await response.Content.ReadFromJsonAsync<JsonElement>()).GetProperty("id").GetGuid();
    }

    public async Task<JsonNode> GetAsync(string path) => JsonNode.Parse(await Http.GetStringAsync(path))!;

    public Task<JsonNode> JobAsync(Guid id) => GetAsync($"/jobs/{id}");

    /// <summary>Polls until the job has ended.</summary>
    public async Task<JsonNode> FinishedJobAsync(Guid id, TimeSpan limit)
    {
        JsonNode job = null!;
        await Eventually.TrueAsync(async () => (job = await JobAsync(id))["isTerminal"]!.GetValue<bool>(), limit);
        return job;
    }

    public static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }
}
