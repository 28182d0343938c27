using System.Text.RegularExpressions;
using static Microsoft.Playwright.Assertions;

namespace Temper.Browser;

/// <summary>Hangfire's dashboard under its Content-Security-Policy.</summary>
public sealed class DashboardTests : BrowserTest
{
    [Fact]
    public async Task Dashboard_InABrowser_RunsItsScriptsLoadsNothingFromElsewhereAndLeadsBack()
    {
        await using var api = await ApiProcess.StartAsync(Database.ConnectionString);
        var page = await Browser.NewPageAsync();
        var (elsewhere, refusedScripts, errors) = (new List<string>(), new List<string>(), new List<string>());
        page.Request += (_, request) =>
        {
            if (!request.Url.StartsWith(api.Http.BaseAddress!.ToString(), StringComparison.Ordinal) && !request.Url.StartsWith("data:"))
                elsewhere.Add(request.Url);
        };
        page.Console += (_, message) =>
        {
            if (message.Type == "error" && message.Text.Contains("script", StringComparison.OrdinalIgnoreCase))
                refusedScripts.Add(message.Text);
        };
        page.PageError += (_, error) => errors.Add(error);

        await page.GotoAsync(new Uri(api.Http.BaseAddress!, "/hangfire").ToString());
        await Expect(page).ToHaveTitleAsync(new Regex("Hangfire"));
        Assert.Equal("object", await page.EvaluateAsync<string>("() => typeof window.Hangfire"));
        await page.GetByRole(Microsoft.Playwright.AriaRole.Link, new() { Name = "Recurring Jobs" }).ClickAsync();
        await Expect(page.Locator("h1.page-header")).ToContainTextAsync("Recurring Jobs");
        await page.GetByRole(Microsoft.Playwright.AriaRole.Link, new() { Name = "Back to site" }).ClickAsync();
        await Expect(page).ToHaveURLAsync(new Regex("/swagger"));

        Assert.Empty(elsewhere);
        Assert.Empty(refusedScripts);
        Assert.Empty(errors);
    }
}
