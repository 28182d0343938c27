using System.Text.RegularExpressions;
using static Microsoft.Playwright.Assertions;

namespace Temper.Browser;

/// <summary>Hangfire's dashboard under its Content-Security-Policy.</summary>
[Collection(ServiceCollection.Name)]
public sealed class HangfireTests(ServiceFixture service)
{
    [Fact]
    public async Task Dashboard_InABrowser_RunsItsScriptsLoadsNothingFromElsewhereAndLeadsBack()
    {
        await using var watched = await WatchedPage.OpenAsync(service, "/hangfire");
        var page = watched.Page;
        await Expect(page).ToHaveTitleAsync(new Regex("Hangfire"));
        Assert.Equal("object", await page.EvaluateAsync<string>("() => typeof window.Hangfire"));
        await page.GetByRole(Microsoft.Playwright.AriaRole.Link, new() { Name = "Recurring Jobs" }).ClickAsync();
        await Expect(page.Locator("h1.page-header")).ToContainTextAsync("Recurring Jobs");

        await page.GetByRole(Microsoft.Playwright.AriaRole.Link, new() { Name = "Back to site" }).ClickAsync();

        await Expect(page).ToHaveTitleAsync(new Regex("Temper$"));
        // The policy blocks a few inline styles of Hangfire's.
        Assert.DoesNotContain(watched.Faults, fault => !fault.Contains("style", StringComparison.OrdinalIgnoreCase));
    }
}
