using Microsoft.Playwright;

namespace Temper.Browser;

/// <summary>A test in a browser, with a database of its own.</summary>
public abstract class BrowserTest : IAsyncLifetime
{
    private IPlaywright playwright = null!;

    protected TestDatabase Database { get; private set; } = null!;

    protected IBrowser Browser { get; private set; } = null!;

    public async Task InitializeAsync()
    {
        Database = await TestDatabase.CreateAsync();
        playwright = await Playwright.CreateAsync();
        Browser = await Chromium.LaunchAsync(playwright);
    }

    public async Task DisposeAsync()
    {
        await Browser.DisposeAsync();
        playwright.Dispose();
        await Database.DisposeAsync();
    }
}
