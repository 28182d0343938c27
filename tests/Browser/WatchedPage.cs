using Microsoft.Playwright;

namespace Temper.Browser;

/// <summary>A page, and what went wrong in it.</summary>
internal sealed class WatchedPage : IAsyncDisposable
{
    private readonly IBrowserContext context;
    private readonly List<string> faults = [];

    private WatchedPage(IBrowserContext context, IPage page, Uri home)
    {
        (this.context, Page) = (context, page);
        page.Request += (_, request) => AddIf(!request.Url.StartsWith(home.ToString()) && !request.Url.StartsWith("data:"), request.Url);
        // The browser reports a violated Content-Security-Policy as an error. It also reports error answers, which the form asks for.
        page.Console += (_, message) =>
            AddIf(message.Type == "error" && !message.Location.Contains("validateOnly=true"), $"{message.Text} {message.Location}");
        page.PageError += (_, error) => AddIf(true, error);
    }

    public IPage Page { get; }

    /// <summary>Requests to other hosts, errors of scripts and violations of the policy.</summary>
    public IReadOnlyList<string> Faults
    {
        get
        {
            lock (faults)
                return [.. faults];
        }
    }

    /// <param name="api">Whose page it is; the fixture's when null.</param>
    public static async Task<WatchedPage> OpenAsync(
        ServiceFixture service,
        string path,
        ColorScheme scheme = ColorScheme.Light,
        int width = 1200,
        int height = 900,
        ApiProcess? api = null
    )
    {
        var home = (api ?? service.Api).Http.BaseAddress!;
        var context = await service.Browser.NewContextAsync(
            new()
            {
                BaseURL = home.ToString(),
                ColorScheme = scheme,
                ViewportSize = new() { Width = width, Height = height },
            }
        );
        var page = new WatchedPage(context, await context.NewPageAsync(), home);
        await page.Page.GotoAsync(path);
        return page;
    }

    /// <summary>axe-core finds nothing on the page, in either theme.</summary>
    /// <param name="name">Names the page in a failure.</param>
    public async Task AssertAccessibleAsync(string name)
    {
        if (!await Page.EvaluateAsync<bool>("'axe' in window"))
            await Page.EvaluateAsync(
                await File.ReadAllTextAsync(Path.Combine(TemperProcess.Repository, "src/Dashboard/node_modules/axe-core/axe.min.js"))
            );
        // The dark theme differs in its colours alone.
        foreach (var (scheme, options) in new[] { (ColorScheme.Light, ""), (ColorScheme.Dark, "runOnly: ['color-contrast']") })
        {
            await Page.EmulateMediaAsync(new() { ColorScheme = scheme });
            var violations = await Page.EvaluateAsync<string[]>(
                $"async () => (await axe.run(document, {{ resultTypes: ['violations'], {options} }})).violations"
                    + ".flatMap(one => one.nodes.map(node => `${one.id}: ${node.html}`))"
            );
            Assert.True(violations.Length == 0, $"{name} in {scheme}:\n{string.Join("\n", violations)}");
        }
    }

    public async ValueTask DisposeAsync() => await context.DisposeAsync();

    private void AddIf(bool isFault, string text)
    {
        if (!isFault)
            return;
        lock (faults)
            faults.Add(text);
    }
}
