using System.Globalization;
using System.Text.Json.Nodes;
using Microsoft.Playwright;
using static Microsoft.Playwright.Assertions;

namespace Temper.Browser;

/// <summary>The further measures of a calibration report, which a person opens on the page of a job or of an evaluation.</summary>
[Collection(ServiceCollection.Name)]
public sealed class MeasuresTests(ServiceFixture service)
{
    [NodeFact]
    public async Task Measures_OfAJob_AreAskedForWhenTheyAreOpenedAndHaveTheFiguresOfTheApi()
    {
        var job = await service.Api.SubmitAsync(
            new
            {
                dataset = "digits",
                epsilon = 0.1,
                epochs = 1,
                model = "mlp",
                widths = new[] { 16 },
            }
        );
        await service.Api.FinishedJobAsync(job, TimeSpan.FromSeconds(60));
        await using var watched = await WatchedPage.OpenAsync(service, $"/#/jobs/{job}", width: 360);
        var page = watched.Page;
        var asked = 0;
        page.Request += (_, request) => asked += request.Url.EndsWith("measures=true", StringComparison.Ordinal) ? 1 : 0;
        await Expect(page.Locator("svg.reliability")).ToHaveCountAsync(2);
        Assert.Equal(0, asked);

        await OpenAsync(page);

        var measures = (await service.Api.GetAsync($"/jobs/{job}/calibration?measures=true"))["measures"]!;
        await CurvesAreDrawnAsync(page, measures);
        await ErrorsAreShownAsync(page, measures);
        await RowIsAsync(page, "Selective prediction", "largest probability", Selective(measures["maxProbability"]!));
        await RowIsAsync(page, "Selective prediction", "largest logit", Selective(measures["maxLogitNorm"]!["selective"]!));
        foreach (var (name, method) in new[] { ("split", "split"), ("APS", "aps"), ("RAPS", "raps") })
            await RowIsAsync(page, "Conformal sets", name, Sets(measures["conformal"]!, method));
        await CalibratorsAreShownAsync(page, measures["calibrators"]!, $"/jobs/{job}/model");
        Assert.Equal(1, asked);
        Assert.True(await page.EvaluateAsync<int>("document.documentElement.scrollWidth - innerWidth") <= 0, "the page scrolls sideways");
        await watched.AssertAccessibleAsync("the measures");
        Assert.Empty(watched.Faults);
    }

    [NodeFact]
    public async Task Measures_OfAnEvaluationWithFewImages_SayWhyPartsAreMissingAndThatTheEvaluationIsGone()
    {
        var logits = SimulatedLogits.Draw(8, 2, 1);
        var file = NpzBytes.Of(("logits", logits.Logits, [logits.Count, logits.Classes]), ("labels", logits.Labels, [logits.Count]));
        var evaluation = (await Samples.PostAsync(service.Api, "/evaluations", file))["evaluation"]!["id"];
        await using var watched = await WatchedPage.OpenAsync(service, $"/#/evaluations/{evaluation}");
        var page = watched.Page;

        await OpenAsync(page);

        var missing = (await service.Api.GetAsync($"/evaluations/{evaluation}/calibration?measures=true"))["measures"]!["missing"]!;
        foreach (var name in new[] { "conformal", "calibrators" })
            await Expect(page.GetByText($"Not available. {missing[name]}", new() { Exact = true })).ToBeVisibleAsync();
        Assert.Empty(watched.Faults);

        await page.GetByText("Further measures").ClickAsync();
        await service.Api.Http.DeleteAsync($"/evaluations/{evaluation}");
        await page.GetByText("Further measures").ClickAsync();
        await Expect(page.GetByRole(AriaRole.Alert)).ToContainTextAsync("No such evaluation.");
    }

    private static async Task OpenAsync(IPage page)
    {
        await page.GetByText("Further measures").ClickAsync();
        await Expect(page.GetByRole(AriaRole.Heading, new() { Name = "Calibrators" })).ToBeVisibleAsync(new() { Timeout = 20_000 });
    }

    private static async Task CurvesAreDrawnAsync(IPage page, JsonNode measures)
    {
        foreach (var (title, side) in new[] { ("As trained", "before"), ("After temperature", "after") })
        {
            var curve = measures[side]!["corp"]!["curve"]!.AsArray();
            var drawn = page.Locator($"svg[aria-label^='Reliability curve without bins, {title}']");
            await Expect(drawn.Locator(".target")).ToHaveCountAsync(curve.Count);
            await Expect(drawn.Locator(".band")).ToHaveCountAsync(1);
            var last = curve[^1]!;
            var (from, to) = (Figure(last["from"], 2), Figure(last["to"], 2));
            var words = $"confidence {from} to {to}: {Figure(last["probability"])} right, {last["count"]} images.";
            Assert.EndsWith(words, await drawn.GetAttributeAsync("aria-label"));
        }
    }

    private static async Task ErrorsAreShownAsync(IPage page, JsonNode measures)
    {
        var refinement = measures["refinement"]!;
        var parts =
            $"NLL {Figure(refinement["nll"])} = refinement {Figure(refinement["value"])} + calibration {Figure(refinement["calibration"])}"
            + $" (95 % interval {Range(refinement["calibrationInterval"]!)})";
        await Expect(page.GetByText(parts, new() { Exact = true })).ToBeVisibleAsync();
        JsonNode before = measures["before"]!,
            after = measures["after"]!;
        foreach (
            var (name, cells) in new (string, Func<JsonNode, string[]>)[]
            {
                ("ℓ2 error", side => [Figure(side["l2"]!["value"]), Range(side["l2"]!["interval"]!)]),
                (
                    "CORP miscalibration",
                    side => [Figure(side["corp"]!["miscalibration"]), $"chance: up to {Figure(side["corp"]!["chance"]!["limit"])}"]
                ),
                ("squared kernel error", side => [Figure(side["kernel"]!["value"], 6), $"p = {Figure(side["kernel"]!["pValue"])}"]),
            }
        )
            await RowIsAsync(page, "Calibration errors", name, [.. cells(before), .. cells(after)]);
    }

    private static async Task CalibratorsAreShownAsync(IPage page, JsonNode calibrators, string model)
    {
        var rows = page.GetByRole(AriaRole.Region, new() { Name = "Calibrators" }).Locator("tbody tr");
        foreach (var (score, i) in calibrators["scores"]!.AsArray().Select((score, i) => (score!, i)))
        {
            string[] figures =
            [
                $"{Figure(score["nll"])} ± {Figure(score["nllError"])}",
                $"{Figure(score["difference"])} ± {Figure(score["differenceError"])}",
                "ONNX",
            ];
            await Expect(rows.Nth(i).Locator("td")).ToHaveTextAsync(figures);
            await Expect(rows.Nth(i).GetByRole(AriaRole.Link))
                .ToHaveAttributeAsync("href", $"{model}?format=onnx&calibrator={score["name"]}");
            var chosen = rows.Nth(i).GetByText("chosen", new() { Exact = true });
            await Expect(chosen).ToHaveCountAsync($"{score["name"]}" == $"{calibrators["chosen"]}" ? 1 : 0);
        }
    }

    private static string[] Selective(JsonNode score) =>
        [
            Figure(score["aurc"]),
            Figure(score["augrc"]),
            .. score["risks"]!.AsArray().Select(at => $"{Figure(at!["risk"])} ({Range(at["riskInterval"]!)})"),
        ];

    private static string[] Sets(JsonNode conformal, string method)
    {
        JsonNode[] sets = [conformal["before"]![method]!, conformal["after"]![method]!];
        return
        [
            .. sets.Select(set => Figure(set["meanSize"], 3)),
            .. sets.Select(set => $"{Figure(set["coverage"])} ({Range(set["coverageInterval"]!)})"),
        ];
    }

    private static Task RowIsAsync(IPage page, string table, string name, string[] cells) =>
        Expect(
                page.GetByRole(AriaRole.Region, new() { Name = table })
                    .Locator("tr", new() { Has = page.GetByRole(AriaRole.Rowheader, new() { NameRegex = new($"^{name}") }) })
                    .Locator("td")
            )
            .ToHaveTextAsync(cells);

    private static string Range(JsonNode interval) => $"{Figure(interval["low"])} to {Figure(interval["high"])}";

    /// <summary>A figure as the page writes it.</summary>
    private static string Figure(JsonNode? figure, int digits = 4)
    {
        var value = figure!.GetValue<double>();
        var isSmall = value != 0 && Math.Abs(value) < 0.5 * Math.Pow(10, -digits);
        return value.ToString(isSmall ? "0.00e-0" : $"F{digits}", CultureInfo.InvariantCulture).Replace('-', '−');
    }
}
