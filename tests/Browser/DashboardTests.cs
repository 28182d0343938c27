using System.Globalization;
using System.Net.Http.Json;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Microsoft.Playwright;
using static Microsoft.Playwright.Assertions;

namespace Temper.Browser;

/// <summary>The dashboard as a person uses it, on a real API and worker.</summary>
[Collection(ServiceCollection.Name)]
public sealed class DashboardTests(ServiceFixture service)
{
    private static readonly object Small = new
    {
        dataset = "digits",
        epsilon = 0.1,
        epochs = 10_000,
        model = "mlp",
        widths = new[] { 16 },
    };

    [NodeFact]
    public async Task Job_SubmittedFromTheForm_ShowsErrorsAtTheirFieldsThenItsGrowingCurveAndIsCancelled()
    {
        await using var watched = await WatchedPage.OpenAsync(service, "/#/submit");
        var page = watched.Page;
        await page.GetByLabel("dataset", new() { Exact = true }).FillAsync("digits:size=16");
        await page.GetByLabel("model", new() { Exact = true }).SelectOptionAsync("mlp");
        await page.GetByText("more fields").ClickAsync();
        await page.GetByLabel("widths", new() { Exact = true }).FillAsync("16");
        var epochs = page.GetByLabel("epochs", new() { Exact = true });
        await epochs.FillAsync("0");
        await Expect(epochs).ToHaveAccessibleDescriptionAsync("must be a whole number from 1 to 10000; got 0");
        await Expect(epochs).ToHaveAttributeAsync("aria-invalid", "true");
        await epochs.FillAsync("10000");
        await Expect(epochs).ToHaveAttributeAsync("aria-invalid", "false");

        await page.GetByRole(AriaRole.Button, new() { Name = "Submit the job" }).ClickAsync();

        await Expect(page).ToHaveURLAsync(new Regex("#/jobs/"));
        var before = await EpochsShownAsync(page, atLeast: 2);
        await EpochsShownAsync(page, atLeast: before + 1);
        await page.GetByRole(AriaRole.Button, new() { Name = "Cancel" }).ClickAsync();
        await Expect(page.Locator(".badge")).ToHaveTextAsync("cancelled");
        await Expect(page.GetByRole(AriaRole.Button, new() { Name = "Retry" })).ToBeVisibleAsync();

        await page.GotoAsync("/#/jobs");
        var filter = page.GetByLabel("Data set", new() { Exact = true });
        await filter.FillAsync("digits:size=16");
        await filter.PressAsync("Enter");
        await Expect(page).ToHaveURLAsync(new Regex("#/jobs\\?dataset=digits%3Asize%3D16$"));
        await Expect(page.Locator("tbody tr")).ToHaveCountAsync(1);
        Assert.Empty(watched.Faults);
    }

    [NodeFact]
    public async Task Page_WhileTheApiRestarts_SaysSoAndThenGoesOn()
    {
        var job = await service.Api.SubmitAsync(Small);
        await using var watched = await WatchedPage.OpenAsync(service, $"/#/jobs/{job}");
        var page = watched.Page;
        await EpochsShownAsync(page, atLeast: 1);

        await service.Api.KillAsync();
        await Expect(page.GetByText("The API does not answer")).ToBeVisibleAsync();
        var before = await EpochsShownAsync(page, atLeast: 1);
        await service.StartApiAsync();

        await Expect(page.GetByText("The API does not answer")).ToBeHiddenAsync();
        await EpochsShownAsync(page, atLeast: before + 1);
        await service.Api.Http.PostAsync($"/jobs/{job}/cancel", null);
        await Expect(page.Locator(".badge")).ToHaveTextAsync("cancelled");
    }

    [NodeFact]
    public async Task Job_OfTenThousandEpochs_IsDrawnWithItsGapsReadByKeysAndZoomed()
    {
        var job = await SeededAsync(epochs: 10_000);
        await using var watched = await WatchedPage.OpenAsync(service, $"/#/jobs/{job}");
        var page = watched.Page;
        var loss = page.GetByRole(AriaRole.Slider, new() { Name = "Loss by epoch" });
        await Expect(loss).ToHaveAttributeAsync("aria-valuemax", "10000");
        await Expect(page.GetByText("gaps where a figure was NaN or infinite")).ToBeVisibleAsync();

        await loss.PressAsync("Home");
        await Expect(loss).ToHaveAttributeAsync("aria-valuetext", new Regex("^epoch 1: validation 1.0000, train 1.0000"));
        await loss.PressAsync("ArrowRight");
        await Expect(loss).ToHaveAttributeAsync("aria-valuetext", new Regex("^epoch 2: validation not finite"));

        var box = (await loss.BoundingBoxAsync())!;
        await page.Mouse.MoveAsync(box.X + box.Width / 2, box.Y + 80);
        await page.Mouse.DownAsync();
        await page.Mouse.MoveAsync(box.X + box.Width * 3 / 4, box.Y + 80, new() { Steps = 5 });
        await page.Mouse.UpAsync();
        await page.Mouse.MoveAsync(1, 1);
        await Expect(page.GetByText(new Regex("epochs [34]\\d{3} to [67]\\d{3}"))).ToBeVisibleAsync();
        await page.GetByRole(AriaRole.Button, new() { Name = "Reset zoom" }).ClickAsync();
        await Expect(page.GetByText("drag or pinch to zoom")).ToBeVisibleAsync();

        await PinchAsync(page, await loss.Locator(".u-over").BoundingBoxAsync());
        await Expect(page.GetByText(new Regex("epochs [34]\\d{3} to [56]\\d{3}"))).ToBeVisibleAsync();
        Assert.Empty(watched.Faults);
    }

    [NodeFact]
    public async Task Pages_InBothThemesOnAPhoneAndADesktop_AreAccessibleAndStayWithinThePolicy()
    {
        var (study, jobs) = await FinishedStudyAsync();
        var dataset = await Samples.AddDatasetAsync(service.Api, "pages");
        var evaluation = await Samples.AddEvaluationAsync(service.Api);
        // Each page, and what it shows last.
        (string Path, string Last)[] pages =
        [
            ("/jobs", "tbody input >> nth=0"),
            ("/jobs?state=failed", "p.empty"),
            ($"/jobs/{jobs[0]}", "section:has(h2:text-is('Corrupted test images')) svg[role=img] >> nth=1"),
            ($"/compare?jobs={jobs[0]},{jobs[1]}&evaluations={evaluation}", "h2:has-text('Differences')"),
            ("/studies", "main:has(h1:text-is('Studies')) tbody tr >> nth=0"),
            ($"/studies/{study}", "svg >> nth=7"),
            ("/datasets", "main:has(h1:text-is('Data sets')) tbody tr >> nth=5"),
            ($"/datasets/{dataset}", "svg.stack >> nth=2"),
            ("/evaluations", "main:has(h1:text-is('Evaluations')) tbody tr >> nth=0"),
            ($"/evaluations/{evaluation}", "svg.reliability >> nth=1"),
            ("/workers", "main:has(h1:text-is('Workers')) tbody tr >> nth=0"),
            ("/submit", "form:has-text('Submit the job') .outlook"),
            ("/submit/study", "form:has-text('Submit the study') .outlook"),
            ("/submit/dataset", "button:has-text('Upload the data set')"),
            ("/submit/evaluation", "button:text-is('Evaluate')"),
            ("/nowhere", "h1:text-is('No such page')"),
        ];
        await using var watched = await WatchedPage.OpenAsync(service, "/");
        var page = watched.Page;
        foreach (var (path, last) in pages)
        {
            await page.EvaluateAsync("path => { location.hash = path }", path);
            await Expect(page.Locator(last)).ToBeVisibleAsync();
            foreach (var width in new[] { 360, 1200 })
            {
                await page.SetViewportSizeAsync(width, 740);
                // The charts follow a new width one frame later.
                await Eventually.TrueAsync(
                    async () => await page.EvaluateAsync<int>("document.documentElement.scrollWidth - innerWidth") <= 0,
                    TimeSpan.FromSeconds(5),
                    $"{path} scrolls sideways at {width} pixels"
                );
                await watched.AssertAccessibleAsync($"{path} of {width} pixels");
            }
        }
        Assert.Empty(watched.Faults);
        await SaysWhatTheApiSaysAsync(study, jobs[0]);
    }

    [NodeFact]
    public async Task Page_OfAnApiThatNeedsAKey_AsksForItKeepsItNowhereAndKeepsTheFormWhenItAsksAgain()
    {
        await using var database = await TestDatabase.CreateAsync();
        var key = await database.MakeKeyAsync("alice");
        await using var api = await ApiProcess.StartAsync(database.ConnectionString);
        await using var watched = await WatchedPage.OpenAsync(service, "/#/submit", api: api);
        var page = watched.Page;

        await Expect(page.GetByLabel("Key")).ToBeFocusedAsync();
        await watched.AssertAccessibleAsync("the sign-in");
        await SignInAsync(page, "a wrong key of this test");
        await Expect(page.GetByRole(AriaRole.Alert)).ToContainTextAsync("The key is wrong.");
        await SignInAsync(page, key);

        var epochs = page.GetByLabel("epochs", new() { Exact = true });
        // The form asks the API about each change. The answer to this one must not come after the cookies are gone.
        await page.RunAndWaitForResponseAsync(
            () => epochs.FillAsync("123"),
            response => response.Request.PostData?.Contains("\"epochs\":123", StringComparison.Ordinal) == true
        );
        await Expect(page.GetByRole(AriaRole.Button, new() { Name = "Sign out alice" })).ToBeVisibleAsync();
        Assert.Equal(0, await page.EvaluateAsync<int>("localStorage.length + sessionStorage.length + document.cookie.length"));

        await page.Context.ClearCookiesAsync();
        await epochs.FillAsync("1234");
        await SignInAsync(page, key);
        await Expect(epochs).ToHaveValueAsync("1234");
        await page.GetByRole(AriaRole.Button, new() { Name = "Sign out alice" }).ClickAsync();
        await Expect(page.GetByLabel("Key")).ToBeVisibleAsync();
        await Expect(epochs).ToHaveCountAsync(0);
    }

    /// <summary>Puts two fingers at 40 and 60 % of the box's width and moves them to its edges.</summary>
    private static async Task PinchAsync(IPage page, LocatorBoundingBoxResult? box)
    {
        var browser = await page.Context.NewCDPSessionAsync(page);
        foreach (var (type, left, right) in new[] { ("touchStart", 0.4, 0.6), ("touchMove", 0.2, 0.8), ("touchMove", 0.01, 0.99) })
        {
            var points = new[] { left, right }.Select(part => new { x = box!.X + part * box.Width, y = box.Y + 80.0 });
            await browser.SendAsync("Input.dispatchTouchEvent", new() { ["type"] = type, ["touchPoints"] = points });
        }
        await browser.SendAsync("Input.dispatchTouchEvent", new() { ["type"] = "touchEnd", ["touchPoints"] = Array.Empty<object>() });
    }

    private static async Task SignInAsync(IPage page, string key)
    {
        await page.GetByLabel("Key").FillAsync(key);
        await page.GetByRole(AriaRole.Button, new() { Name = "Sign in" }).ClickAsync();
    }

    /// <summary>Waits until the page shows that many epochs, and until the first chart has pixels in the colour of its curve.</summary>
    private static async Task<int> EpochsShownAsync(IPage page, int atLeast)
    {
        const string drawn = """
            chart => {
              const colour = getComputedStyle(document.querySelector('.swatch.s0')).color.match(/\d+/g).map(Number);
              const canvas = chart.querySelector('canvas');
              const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
              for (let i = 0; i < data.length; i += 4)
                if (data[i + 3] > 128 && colour.every((part, of) => Math.abs(part - data[i + of]) < 8))
                  return Number(chart.getAttribute('aria-valuemax'));
              return 0;
            }
            """;
        var chart = page.Locator("[role=slider]:has(canvas)").First;
        return await Eventually.ValueAsync(() => chart.EvaluateAsync<int>(drawn), shown => shown >= atLeast);
    }

    /// <summary>The pages of a study and of a job have the sentences of the API, and the job's page its figures on corrupted
    /// images.</summary>
    private async Task SaysWhatTheApiSaysAsync(Guid study, Guid job)
    {
        var recommendation = await service.Api.GetAsync($"/studies/{study}/recommendation");
        var calibration = await service.Api.GetAsync($"/jobs/{job}/calibration");
        await using var watched = await WatchedPage.OpenAsync(service, $"/#/studies/{study}");
        await Expect(watched.Page.GetByText(recommendation["sentence"]!.GetValue<string>())).ToBeVisibleAsync();
        foreach (var finding in recommendation["findings"]!.AsArray())
            await Expect(watched.Page.GetByText(finding!.GetValue<string>())).ToBeVisibleAsync();

        await watched.Page.Locator($"a[href='#/jobs/{job}']").ClickAsync();
        foreach (var side in new[] { "before", "after" })
            await Expect(watched.Page.GetByText(calibration[side]!["verdict"]!["sentence"]!.GetValue<string>()).First).ToBeVisibleAsync();
        var corruptions = await service.Api.GetAsync($"/jobs/{job}/corruptions");
        foreach (var (title, figure) in new[] { ("Accuracy", "accuracy"), ("ECE after temperature", "eceAfterTemperature") })
        {
            string Figure(JsonNode scores) => scores[figure]!.GetValue<double>().ToString("F4", CultureInfo.InvariantCulture);
            var points = corruptions["rows"]!
                .AsArray()
                .GroupBy(row => $"{row!["kind"]}", row => $"{row!["kind"]} of strength {row["strength"]}: {Figure(row["scores"]!)}")
                .SelectMany(kind => kind.Prepend($"{kind.Key} of strength 0: {Figure(corruptions["clean"]!)}"));
            var name = $"{title} over strength. {string.Join(". ", points)}.";
            await Expect(watched.Page.GetByRole(AriaRole.Img, new() { Name = name, Exact = true })).ToBeVisibleAsync();
        }
    }

    private async Task<(Guid Study, Guid[] Jobs)> FinishedStudyAsync()
    {
        var response = await service.Api.Http.PostAsJsonAsync(
            "/studies",
            new
            {
                job = new
                {
                    dataset = "digits",
                    epochs = 2,
                    model = "mlp",
                    widths = new[] { 16 },
                    corruptions = true,
                },
                epsilons = new[] { 0, 0.2 },
                seeds = 2,
            }
        );
        var id = (await response.Content.ReadFromJsonAsync<JsonElement>()).GetProperty("id").GetGuid();
        await Eventually.TrueAsync(
            async () => (await service.Api.GetAsync($"/studies/{id}"))["state"]!.GetValue<string>() == "succeeded",
            TimeSpan.FromSeconds(60)
        );
        var jobs = (await service.Api.GetAsync($"/jobs?study={id}"))["items"]!.AsArray();
        return (id, [.. jobs.Select(job => job!["id"]!.GetValue<Guid>())]);
    }

    /// <summary>A cancelled job whose epochs were never trained. The second one has figures that are not finite.</summary>
    private async Task<Guid> SeededAsync(int epochs)
    {
        var job = await service.Api.SubmitAsync(
            new
            {
                dataset = "digits",
                epsilon = 0.1,
                epochs,
                device = "cuda",
            }
        );
        await service.Api.Http.PostAsync($"/jobs/{job}/cancel", null);
        await service.Database.ExecuteAsync(
            $"""
            INSERT INTO epochs (job_id, epoch, attempt, train_loss, train_accuracy, validation_loss, validation_accuracy, ece, signed_gap,
                                learning_rate, seconds, images_per_second)
            SELECT '{job}', e, 1, 1.0 / e, 0.5, CASE e WHEN 2 THEN 'NaN'::float8 ELSE 1.0 / e END, 0.5, 0.1, 0, 0.001, 1, 1000
            FROM generate_series(1, {epochs}) e
            """
        );
        return job;
    }
}
