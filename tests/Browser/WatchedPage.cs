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
        // The browser reports a violated Content-Security-Policy as an error. It also reports requests without an answer.
        page.Console += (_, message) => AddIf(message.Type == "error" && !message.Text.Contains("Failed to load"), message.Text);
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

    public static async Task<WatchedPage> OpenAsync(
        ServiceFixture service,
        string path,
        ColorScheme scheme = ColorScheme.Light,
        int width = 1200,
        int height = 900
    )
    {
        var context = await service.Browser.NewContextAsync(
            new()
            {
                BaseURL = service.Api.Http.BaseAddress!.ToString(),
                ColorScheme = scheme,
                ViewportSize = new() { Width = width, Height = height },
            }
        );
        var page = new WatchedPage(context, await context.NewPageAsync(), service.Api.Http.BaseAddress!);
        await page.Page.GotoAsync(path);
        return page;
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
