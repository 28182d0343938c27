using Microsoft.Playwright;

namespace Temper.Browser;

/// <summary>Debian's Chromium.</summary>
internal static class Chromium
{
    /// <summary>Milliseconds that an expectation waits: on a busy machine the first page takes several seconds.</summary>
    private const float ExpectTimeout = 20_000;

    public static Task<IBrowser> LaunchAsync(IPlaywright playwright)
    {
        Assertions.SetDefaultExpectTimeout(ExpectTimeout);
        return playwright.Chromium.LaunchAsync(
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
}
