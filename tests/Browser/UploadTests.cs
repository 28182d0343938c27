using System.Text.RegularExpressions;
using Microsoft.Playwright;
using static Microsoft.Playwright.Assertions;

namespace Temper.Browser;

/// <summary>Files that a person sends from the dashboard: data sets, images and outputs of models.</summary>
[Collection(ServiceCollection.Name)]
public sealed class UploadTests(ServiceFixture service)
{
    [NodeFact]
    public async Task Dataset_UploadedFromTheForm_IsShownTrainedAskedAndDeleted()
    {
        await using var watched = await WatchedPage.OpenAsync(service, "/#/datasets");
        var page = watched.Page;
        await page.GetByRole(AriaRole.Link, new() { Name = "Upload a data set" }).ClickAsync();
        await SendAsync(page, "Upload the data set", "files", "birds.npz", Samples.Dataset(), name: "Birds");
        await Expect(Field(page, "name")).ToHaveAccessibleDescriptionAsync(new Regex("^must be 1 to 64 .* got Birds$"));
        await Expect(Field(page, "name")).ToBeFocusedAsync();
        await SendAsync(page, "Upload the data set", "files", "birds.txt", "no data set"u8.ToArray(), name: "birds");
        await Expect(Field(page, "files")).ToHaveAccessibleDescriptionAsync(new Regex("^must be an npz file"));
        await Expect(Field(page, "files")).ToHaveAttributeAsync("aria-invalid", "true");
        await StopUploadAsync(page);
        await SendAsync(page, "Upload the data set", "files", "birds.npz", Samples.Dataset(), name: "birds");

        await Expect(page).ToHaveURLAsync(new Regex("#/datasets/birds@1$"));
        await Expect(page.GetByText("It had no test part: 18 of its 90")).ToBeVisibleAsync();
        await Expect(page.GetByRole(AriaRole.Row, new() { Name = "kestrel 24 6" })).ToBeVisibleAsync();
        foreach (var picture in await page.GetByRole(AriaRole.Img).AllAsync())
            Assert.True(await picture.EvaluateAsync<bool>("image => image.decode().then(() => image.naturalWidth > 0)"));

        var job = await TrainAsync(page);
        await PredictAsync(page, job);

        await page.GotoAsync("/#/submit/dataset");
        await SendAsync(page, "Upload the data set", "files", "birds.npz", Samples.Dataset(), name: "birds");
        await Expect(page.GetByRole(AriaRole.Alert)).ToHaveTextAsync("This content is stored already as birds@1.");

        await page.GotoAsync("/#/datasets/birds@1");
        await DeleteAsync(page);
        await Expect(page.GetByRole(AriaRole.Alert)).ToContainTextAsync("The data set is in use.");
        await page.GotoAsync($"/#/jobs/{job}");
        await DeleteAsync(page);
        await Expect(page).ToHaveURLAsync(new Regex("#/jobs$"));
        await page.GotoAsync("/#/datasets/birds@1");
        await DeleteAsync(page);
        await Expect(page.GetByRole(AriaRole.Link, new() { Name = "mnist", Exact = true })).ToBeVisibleAsync();
        await Expect(page.GetByRole(AriaRole.Link, new() { Name = "birds@1" })).ToHaveCountAsync(0);
        AssertNoFaults(watched);
    }

    [NodeFact]
    public async Task Upload_OfAFileThatChangedAfterItWasRefused_NamesItAndTakesItWhenItIsChosenAgain()
    {
        var folder = Directory.CreateTempSubdirectory("temper-test-").FullName;
        var file = Path.Combine(folder, "changed.npz");
        await using var watched = await WatchedPage.OpenAsync(service, "/#/submit/dataset");
        var page = watched.Page;
        var files = Field(page, "files");
        var send = page.GetByRole(AriaRole.Button, new() { Name = "Upload the data set" });
        await File.WriteAllBytesAsync(file, [1]);
        File.SetLastWriteTimeUtc(file, DateTime.UtcNow.AddMinutes(-1)); // the browser compares times in whole seconds
        await files.SetInputFilesAsync(file);
        await Field(page, "name").FillAsync("changed");
        await send.ClickAsync();
        await Expect(files).ToHaveAccessibleDescriptionAsync(new Regex("^must be an npz file"));

        await File.WriteAllBytesAsync(file, Samples.Dataset());
        await send.ClickAsync();

        await Expect(files).ToHaveAccessibleDescriptionAsync("changed.npz has changed since it was chosen. Choose it again.");
        await Expect(files).ToBeFocusedAsync();
        await Expect(page.GetByText("The API does not answer")).ToHaveCountAsync(0);
        await files.SetInputFilesAsync(file);
        await Expect(files).ToHaveAttributeAsync("aria-invalid", "false");
        await send.ClickAsync();
        await Expect(page).ToHaveURLAsync(new Regex("#/datasets/changed@1$"));
        Directory.Delete(folder, recursive: true);
    }

    [NodeFact]
    public async Task Evaluation_UploadedFromTheForm_ShowsItsReportAndStandsBesideAJob()
    {
        var job = await service.Api.SubmitAsync(
            new
            {
                dataset = "digits",
                epsilon = 0.1,
                epochs = 1,
                model = "mlp",
            }
        );
        await using var watched = await WatchedPage.OpenAsync(service, "/#/evaluations");
        var page = watched.Page;
        await page.GetByRole(AriaRole.Link, new() { Name = "Evaluate a model" }).ClickAsync();
        await SendAsync(page, "Evaluate", "file", "outputs.npz", Samples.Dataset(), name: "elsewhere");
        await Expect(Field(page, "file")).ToHaveAccessibleDescriptionAsync(new Regex("labels|logits"));
        await SendAsync(page, "Evaluate", "file", "outputs.npz", Samples.Outputs(), name: "elsewhere");

        await Expect(page).ToHaveURLAsync(new Regex("#/evaluations/"));
        var id = page.Url.Split('/')[^1];
        var report = await service.Api.GetAsync($"/evaluations/{id}/calibration");
        foreach (var side in new[] { "before", "after" })
            await Expect(page.GetByText(report[side]!["verdict"]!["sentence"]!.GetValue<string>()).First).ToBeVisibleAsync();
        await page.GetByText("by the rules of other tools").ClickAsync();
        await Expect(page.GetByText(report["conventions"]!["why"]!.GetValue<string>())).ToBeVisibleAsync();

        await page.GetByRole(AriaRole.Link, new() { Name = "Compare" }).ClickAsync();
        await page.GetByRole(AriaRole.Combobox, new() { Name = "Job", Exact = true }).SelectOptionAsync($"{job}");
        await page.GetByRole(AriaRole.Button, new() { Name = "Add the job" }).ClickAsync();
        await Expect(page.GetByRole(AriaRole.Heading, new() { Name = "Results", Exact = true })).ToBeFocusedAsync();
        var results = page.GetByRole(AriaRole.Region, new() { Name = "Results" });
        await Expect(results.GetByRole(AriaRole.Link)).ToHaveTextAsync([$"{job}"[^8..], "elsewhere"]);
        AssertNoFaults(watched);
    }

    private static ILocator Field(IPage page, string name) => page.GetByLabel(name, new() { Exact = true });

    private static async Task SendAsync(IPage page, string button, string field, string file, byte[] content, string name)
    {
        await Field(page, field)
            .SetInputFilesAsync(
                new FilePayload
                {
                    Name = file,
                    MimeType = "application/octet-stream",
                    Buffer = content,
                }
            );
        await Field(page, "name").FillAsync(name);
        await page.GetByRole(AriaRole.Button, new() { Name = button, Exact = true }).ClickAsync();
    }

    /// <summary>Sends the data set over a slow line, sees how much is sent, and stops it.</summary>
    private static async Task StopUploadAsync(IPage page)
    {
        var browser = await page.Context.NewCDPSessionAsync(page);
        await LimitAsync(4096);
        await SendAsync(page, "Upload the data set", "files", "birds.npz", Samples.Dataset(), name: "slow");
        await Expect(page.GetByRole(AriaRole.Progressbar, new() { Name = "Sent" })).ToBeVisibleAsync();
        await Expect(Field(page, "name")).ToBeDisabledAsync();
        await Expect(page.GetByRole(AriaRole.Button, new() { Name = "Stop" })).ToBeFocusedAsync();
        await page.GetByRole(AriaRole.Button, new() { Name = "Stop" }).ClickAsync();
        await Expect(page.GetByRole(AriaRole.Alert)).ToContainTextAsync("The upload was stopped.");
        await LimitAsync(-1);

        Task LimitAsync(int bytesPerSecond) =>
            browser.SendAsync(
                "Network.emulateNetworkConditions",
                new()
                {
                    ["offline"] = false,
                    ["latency"] = 0,
                    ["downloadThroughput"] = -1,
                    ["uploadThroughput"] = bytesPerSecond,
                }
            );
    }

    /// <summary>Follows the link of the data set's page to the form, and submits a job.</summary>
    /// <returns>Id of the job, which has succeeded.</returns>
    private async Task<Guid> TrainAsync(IPage page)
    {
        await page.GetByRole(AriaRole.Link, new() { Name = "Train on it" }).ClickAsync();
        await Expect(Field(page, "dataset")).ToHaveValueAsync("birds@1");
        await Field(page, "epochs").FillAsync("2");
        await Field(page, "model").SelectOptionAsync("mlp");
        await page.GetByRole(AriaRole.Button, new() { Name = "Submit the job" }).ClickAsync();
        await Expect(page).ToHaveURLAsync(new Regex("#/jobs/."));
        await Expect(page.Locator(".badge")).ToHaveTextAsync("succeeded", new() { Timeout = 60_000 });
        return Guid.Parse(page.Url.Split('/')[^1]);
    }

    /// <summary>The page of a job says of an image what the API says, with the names of its classes, and which file is wrong.</summary>
    private async Task PredictAsync(IPage page, Guid job)
    {
        await page.GotoAsync($"/#/jobs/{job}/predict");
        var files = page.GetByLabel("Images to classify");
        await Expect(files).ToBeFocusedAsync();
        await files.SetInputFilesAsync([Png("good.png", Samples.Side), Png("large.png", Samples.Side + 1)]);
        await Expect(files).ToHaveAccessibleDescriptionAsync(new Regex("^large.png must"));
        await Expect(files).ToBeFocusedAsync();
        await files.SetInputFilesAsync([Png("one.png", Samples.Side), Png("two.png", Samples.Side)]);
        await Expect(files).ToHaveAccessibleDescriptionAsync(new Regex("Sent: one.png, two.png$"));

        var answer = await Samples.PostAsync(service.Api, $"/jobs/{job}/predict", Samples.Image(), "image/png");
        var first = answer["items"]![0]!;
        var probabilities = first["probabilities"]!.AsArray().Select(one => one!.GetValue<double>()).ToArray();
        var rows = page.GetByRole(AriaRole.Region, new() { Name = "Predictions" }).Locator("tbody tr");
        await Expect(rows).ToHaveCountAsync(2);
        await Expect(rows.Last.GetByRole(AriaRole.Rowheader)).ToHaveTextAsync("two.png");
        await Expect(rows.First.Locator("td").Nth(1)).ToHaveTextAsync(first["className"]!.GetValue<string>());
        await Expect(rows.First.Locator(".likely span"))
            .ToHaveTextAsync([
                .. Enumerable
                    .Range(0, Samples.Classes.Length)
                    .OrderByDescending(label => probabilities[label])
                    .SelectMany(label => new[] { Samples.Classes[label], FormattableString.Invariant($"{probabilities[label]:F3}") }),
            ]);
    }

    private static FilePayload Png(string name, int side) =>
        new()
        {
            Name = name,
            MimeType = "image/png",
            Buffer = Samples.Image(side),
        };

    /// <summary>Presses Delete and says yes.</summary>
    private static async Task DeleteAsync(IPage page)
    {
        await page.GetByRole(AriaRole.Button, new() { Name = "Delete" }).ClickAsync();
        await page.GetByRole(AriaRole.Dialog).GetByRole(AriaRole.Button, new() { Name = "Delete" }).ClickAsync();
    }

    /// <summary>The browser reports each refusal as an error; the tests ask for some.</summary>
    private static void AssertNoFaults(WatchedPage watched) =>
        Assert.DoesNotContain(watched.Faults, fault => !fault.Contains("responded with a status of 4"));
}
