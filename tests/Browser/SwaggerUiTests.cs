using Microsoft.Playwright;
using static Microsoft.Playwright.Assertions;

namespace Temper.Browser;

/// <summary>Swagger UI as a person uses it.</summary>
public sealed class SwaggerUiTests : BrowserTest
{
    [Fact]
    public async Task PostJobs_TriedFromThePageAfterAuthorizing_SubmitsTheExample()
    {
        var key = await Database.MakeKeyAsync();
        await using var api = await ApiProcess.StartAsync(Database.ConnectionString);
        var page = await Browser.NewPageAsync();
        var faults = new List<string>(); // the browser reports a violated Content-Security-Policy as an error
        page.Console += (_, message) =>
        {
            if (message.Type == "error")
                faults.Add(message.Text);
        };
        await page.GotoAsync(new Uri(api.Http.BaseAddress!, "/swagger").ToString());

        await page.Locator(".auth-wrapper button.authorize").First.ClickAsync();
        // The other scheme is the cookie of a browser's session.
        var bearer = page.Locator(".auth-container", new() { Has = page.Locator("#auth-bearer-value") });
        await bearer.Locator("input").FillAsync(key);
        await bearer.Locator(".auth-btn-wrapper button.authorize").ClickAsync();
        await page.Locator(".auth-btn-wrapper button.btn-done").First.ClickAsync();
        var operation = await TryPostJobsAsync(page);

        await Expect(operation.Locator(".live-responses-table tr.response .response-col_status")).ToContainTextAsync("202");
        await Expect(operation.Locator(".live-responses-table")).ToContainTextAsync("\"state\": \"queued\"");
        // The policy blocks an inline style.
        Assert.DoesNotContain(faults, fault => !fault.Contains("inline style", StringComparison.Ordinal));
        Assert.Equal(
            1,
            await Database.ScalarAsync<long>("SELECT count(*) FROM jobs WHERE spec->>'dataset' = 'mnist' AND spec->>'epsilon' = '0.1'")
        );
    }

    /// <summary>Opens POST /jobs, presses "Try it out" and then "Execute", the body left as the page offers it.</summary>
    private static async Task<ILocator> TryPostJobsAsync(IPage page)
    {
        var operation = page.Locator(".opblock-post").Filter(new() { HasText = "Submit a job" });
        await operation.Locator(".opblock-summary-control").ClickAsync();
        await operation.Locator("button.try-out__btn").ClickAsync();
        await operation.Locator("button.execute").ClickAsync();
        return operation;
    }
}
