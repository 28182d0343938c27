using System.Net.Http.Json;
using System.Text.Json;
using Microsoft.Playwright;
using static Microsoft.Playwright.Assertions;

namespace Temper.Browser;

/// <summary>Makes the pictures of the README; see scripts/screenshots.sh.</summary>
[Collection(ServiceCollection.Name)]
public sealed class Screenshots(ServiceFixture service)
{
    [ScreenshotFact]
    public async Task Pictures_OfARealRun()
    {
        var response = await service.Api.Http.PostAsJsonAsync(
            "/studies",
            new
            {
                job = new { dataset = "digits", epochs = 6 },
                seeds = 3,
                criterion = "ece",
                name = "digits by ECE",
            }
        );
        var study = (await response.Content.ReadFromJsonAsync<JsonElement>()).GetProperty("id").GetGuid();
        await Eventually.TrueAsync(
            async () => (await service.Api.GetAsync($"/studies/{study}"))["state"]!.GetValue<string>() == "succeeded",
            TimeSpan.FromMinutes(15)
        );
        var job = await service.Api.SubmitAsync(
            new
            {
                dataset = "digits",
                epsilon = 0.05,
                epochs = 30,
                name = "demo",
            }
        );
        await service.Api.FinishedJobAsync(job, TimeSpan.FromMinutes(5));

        await TakeAsync("job", $"/#/jobs/{job}", ColorScheme.Light, "svg.reliability >> nth=1", height: 1000);
        await TakeAsync("study", $"/#/studies/{study}", ColorScheme.Dark, "svg >> nth=7", height: 980);
    }

    private async Task TakeAsync(string name, string path, ColorScheme scheme, string last, int height)
    {
        await using var watched = await WatchedPage.OpenAsync(service, path, scheme, width: 1100, height: height);
        await Expect(watched.Page.Locator(last)).ToBeVisibleAsync(new() { Timeout = 20_000 });
        var folder = Environment.GetEnvironmentVariable(ScreenshotFactAttribute.Folder)!;
        await watched.Page.ScreenshotAsync(new() { Path = Path.Combine(folder, $"{name}.png") });
    }
}

/// <summary>Skipped unless TEMPER_SCREENSHOTS names a folder.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class ScreenshotFactAttribute : FactAttribute
{
    public const string Folder = "TEMPER_SCREENSHOTS";

    public ScreenshotFactAttribute()
    {
        if (string.IsNullOrEmpty(Environment.GetEnvironmentVariable(Folder)))
            Skip = "scripts/screenshots.sh makes the pictures.";
    }
}
