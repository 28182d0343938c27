using Microsoft.Playwright;
using static Microsoft.Playwright.Assertions;

namespace Temper.Browser;

/// <summary>Tests the page as a person uses it, in Debian's Chromium.</summary>
public sealed class SwaggerUiTests : IAsyncLifetime
{
    private TestDatabase database = null!;
    private IPlaywright playwright = null!;
    private IBrowser browser = null!;

    public async Task InitializeAsync()
    {
        database = await TestDatabase.CreateAsync();
        playwright = await Playwright.CreateAsync();
        browser = await playwright.Chromium.LaunchAsync(
            new()
            {
                ExecutablePath = "/usr/bin/chromium",
                // No sandbox, because tests may run as root. The other options stop the browser's own network traffic.
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
        await browser.DisposeAsync();
        playwright.Dispose();
        await database.DisposeAsync();
    }

    [Fact]
    public async Task PostJobs_TriedFromThePage_SubmitsTheExample()
    {
        await using var api = await ApiProcess.StartAsync(database.ConnectionString);
        var page = await OpenAsync(api);

        var operation = await TryPostJobsAsync(page);

        await Expect(operation.Locator(".live-responses-table tr.response .response-col_status")).ToContainTextAsync("202");
        await Expect(operation.Locator(".live-responses-table")).ToContainTextAsync("\"state\": \"queued\"");
        Assert.Equal(
            1,
            await database.ScalarAsync<long>("SELECT count(*) FROM jobs WHERE spec->>'dataset' = 'mnist' AND spec->>'epsilon' = '0.1'")
        );
    }

    [Fact]
    public async Task PostJobs_WhereKeysAreSet_WorksAfterAuthorizing()
    {
        const string key = "a-secret-of-some-length";
        await using var api = await ApiProcess.StartAsync(
            database.ConnectionString,
            new Dictionary<string, string?> { ["Api__Keys__0"] = key }
        );
        var page = await OpenAsync(api);

        await page.Locator(".auth-wrapper button.authorize").First.ClickAsync();
        await page.Locator(".auth-container input").FillAsync(key);
        await page.Locator(".auth-btn-wrapper button.authorize").ClickAsync();
        await page.Locator(".auth-btn-wrapper button.btn-done").ClickAsync();
        var operation = await TryPostJobsAsync(page);

        await Expect(operation.Locator(".live-responses-table tr.response .response-col_status")).ToContainTextAsync("202");
    }

    private async Task<IPage> OpenAsync(ApiProcess api)
    {
        var page = await browser.NewPageAsync();
        await page.GotoAsync(new Uri(api.Http.BaseAddress!, "/swagger").ToString());
        return page;
    }

    /// <summary>Opens POST /jobs, presses "Try it out" and then "Execute", and leaves the body as the page offers it.</summary>
    private static async Task<ILocator> TryPostJobsAsync(IPage page)
    {
        var operation = page.Locator(".opblock-post").Filter(new() { HasText = "Submit a job" });
        await operation.Locator(".opblock-summary-control").ClickAsync();
        await operation.Locator("button.try-out__btn").ClickAsync();
        await operation.Locator("button.execute").ClickAsync();
        return operation;
    }
}
