using Microsoft.Playwright;

namespace Temper.Browser;

/// <summary>A test in Debian's Chromium, with a database of its own.</summary>
public abstract class BrowserTest : IAsyncLifetime
{
    private IPlaywright playwright = null!;

    protected TestDatabase Database { get; private set; } = null!;

    protected IBrowser Browser { get; private set; } = null!;

    public async Task InitializeAsync()
    {
        Database = await TestDatabase.CreateAsync();
        playwright = await Playwright.CreateAsync();
        Browser = await playwright.Chromium.LaunchAsync(
            new()
            {
                ExecutablePath = "/usr/bin/chromium",
                // No sandbox, because tests may run as root. The browser itself must not use the network.
                Args =
                [
                    "--no-sandbox",
                    "--disable-gpu",
                    "--disable-background-networking",
                    "--disable-component-update",
                    "--disable-sync",
                    "--no-first-run",
                ],
            }
        );
    }

    public async Task DisposeAsync()
    {
        await Browser.DisposeAsync();
        playwright.Dispose();
        await Database.DisposeAsync();
    }
}
