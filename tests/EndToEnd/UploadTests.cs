using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using Temper.Domain.Datasets;
using Temper.Domain.Serialization;
using Temper.Worker;
using Temper.Worker.Datasets;

namespace Temper.EndToEnd;

/// <summary>Uploads data sets and uses them for all that a data set is for, with one worker for all jobs.</summary>
public class UploadTests : EndToEndTest
{
    [Fact]
    public async Task Upload_TwoShapes_AreTrainedStudiedPredictedAndExportedAndStayReproducible()
    {
        await StartWorkerAsync();
        var colours = await AddAsync(
            "colours",
            [
                .. NpzFiles.Part("", 600, 32, 32, 3, 10),
                .. NpzFiles.Part("validation_", 100, 32, 32, 3, 10, 1),
                .. NpzFiles.Part("test_", 200, 32, 32, 3, 10, 2),
            ]
        );
        var signs = await AddAsync("signs", NpzFiles.Part("", 37 * 20, 64, 64, 1, 37));

        Assert.Equal((600, 100, 200), (Count(colours, "train"), Count(colours, "validation"), Count(colours, "test")));
        Assert.Equal((37 * 16, 0, 37 * 4), (Count(signs, "train"), Count(signs, "validation"), Count(signs, "test")));
        Assert.Contains("seed 0", signs["note"]!.GetValue<string>());

        var cnn = await TrainAsync("colours", 3, new { model = "cnn" });
        await TrainAsync(
            "colours",
            1,
            new
            {
                model = "resnet20",
                width = 8,
                augmentation = "cropFlip",
            }
        );
        var lenet5 = await TrainAsync("signs", 1, new { model = "lenet5", augmentation = "shift" });
        var best = new[]
        {
            await StudyAsync("colours", 3, new { model = "lenet5" }),
            await StudyAsync("signs", 8, new { model = "mlp", widths = new[] { 64 } }),
        };

        Assert.Equal("colours@1", cnn["spec"]!["dataset"]!.GetValue<string>());
        Assert.Equal(colours["sha256"]!.GetValue<string>(), cnn["spec"]!["data"]!["sha256"]!.GetValue<string>());
        Assert.Equal(colours["sha256"]!.GetValue<string>(), cnn["result"]!["dataSha256"]!.GetValue<string>());
        Assert.InRange(cnn["result"]!["testAccuracy"]!.GetValue<double>(), 0.5, 1);
        Assert.InRange(best[1]["result"]!["testAccuracy"]!.GetValue<double>(), 0.2, 1);
        var report = await Api.GetAsync($"/jobs/{best[1]["id"]}/calibration");
        Assert.Equal((37 * 4, 37), (report["count"]!.GetValue<int>(), report["classes"]!.GetValue<int>()));

        var check = new ExportCheck(Api, Home);
        foreach (var one in (JsonNode[])[cnn, lenet5, .. best])
        {
            var content = Json.Read<DatasetContent>(one["spec"]!["data"]!.ToJsonString());
            var test = UploadedFile.Read("", content, new WorkerOptions { Home = Home }, default).Test;
            await AssertPredictsAsync(one, content, test);
            await check.CheckAsync(Guid.Parse($"{one["id"]}"), test.Pixels, content.Channels, content.Height, content.Width);
        }
        await check.CheckInPythonAsync();

        // Another content under the name is another version, and jobs of the first one are as they were.
        Assert.Equal("colours@2", (await AddAsync("colours", NpzFiles.Part("", 200, 32, 32, 3, 10, 3)))["name"]!.GetValue<string>());
        File.WriteAllBytes(
            Assert.Single(Directory.GetFiles(Path.Combine(Home, "data", "uploaded"), $"{colours["sha256"]}.dataset")),
            [1, 2, 3]
        );
        var again = await Api.Http.PostAsync($"/jobs/{cnn["id"]}/reproduce", null);
        var repeated = Guid.Parse((await again.Content.ReadFromJsonAsync<JsonNode>())!["id"]!.GetValue<string>());
        // The runner has another set in memory. It deletes the damaged file, and the next attempt fetches it again.
        var job = await Api.FinishedJobAsync(repeated, TimeSpan.FromMinutes(2));
        Assert.Equal("succeeded", State(job));
        Assert.Equal(["failed", "succeeded"], await OutcomesAsync(repeated));
        Assert.Equal("bitEqual", (await Api.GetAsync($"/jobs/{repeated}/reproduction"))["verdict"]!.GetValue<string>());
    }

    private async Task<JsonNode> AddAsync(string name, (string, byte[])[] arrays)
    {
        var content = new ByteArrayContent(NpzFiles.Pack(arrays));
        content.Headers.ContentType = new("application/octet-stream");
        var response = await Api.Http.PostAsync($"/datasets?name={name}", content);
        Assert.True(response.StatusCode == HttpStatusCode.Created, await response.Content.ReadAsStringAsync());
        return (await response.Content.ReadFromJsonAsync<JsonNode>())!;
    }

    /// <summary>Predicts the test images by the API, which is as accurate as the runner was, and names the classes.</summary>
    private async Task AssertPredictsAsync(JsonNode job, DatasetContent content, LabelledImages test)
    {
        var pixels = ExportCheck.ChannelsLast(test.Pixels, content.Channels, content.Height * content.Width);
        var shape = $"({test.Count}, {content.Height}, {content.Width}, {content.Channels})";
        var body = new ByteArrayContent(NpzFiles.Pack(("images", NpzFiles.Npy("|u1", shape, pixels))));
        body.Headers.ContentType = new("application/octet-stream");
        var response = await Api.Http.PostAsync($"/jobs/{job["id"]}/predict", body);
        Assert.True(response.StatusCode == HttpStatusCode.OK, await response.Content.ReadAsStringAsync());
        var items = (await response.Content.ReadFromJsonAsync<JsonNode>())!["items"]!.AsArray();
        var hits = items.Select((item, i) => item!["label"]!.GetValue<int>() == test.Labels[i]).Count(hit => hit);
        Assert.Equal(job["result"]!["testAccuracy"]!.GetValue<double>(), (double)hits / test.Count, 1e-9);
        Assert.All(items, item => Assert.Equal($"{item!["label"]}", item["className"]!.GetValue<string>()));
        Assert.Equal((test.Count, content.Classes), (items.Count, items[0]!["probabilities"]!.AsArray().Count));
    }

    /// <summary>Studies two ε with two seeds each.</summary>
    /// <returns>The job to predict with that the recommendation names.</returns>
    private async Task<JsonNode> StudyAsync(string dataset, int epochs, object more)
    {
        var response = await Api.Http.PostAsJsonAsync(
            "/studies",
            new
            {
                job = Spec(dataset, epochs, more),
                epsilons = new[] { 0, 0.1 },
                seeds = 2,
            }
        );
        Assert.True(response.StatusCode == HttpStatusCode.Accepted, await response.Content.ReadAsStringAsync());
        var id = (await response.Content.ReadFromJsonAsync<JsonNode>())!["id"];
        JsonNode study = null!;
        await Eventually.TrueAsync(
            async () => (study = await Api.GetAsync($"/studies/{id}"))["isTerminal"]!.GetValue<bool>(),
            TimeSpan.FromMinutes(2)
        );
        Assert.Equal(("succeeded", 4), (State(study), study["progress"]!["succeeded"]!.GetValue<int>()));
        var recommendation = await Api.GetAsync($"/studies/{id}/recommendation");
        Assert.True(recommendation["isFinal"]!.GetValue<bool>());
        var best = await Api.GetAsync(recommendation["predict"]!.GetValue<string>().Replace("/predict", ""));
        Assert.Equal(recommendation["epsilon"]!.GetValue<double>(), best["spec"]!["epsilon"]!.GetValue<double>());
        Assert.Equal($"{id}", best["study"]!.GetValue<string>());
        return best;
    }

    private async Task<JsonNode> TrainAsync(string dataset, int epochs, object more)
    {
        var job = await Api.FinishedJobAsync(await Api.SubmitAsync(Spec(dataset, epochs, more)), TimeSpan.FromMinutes(2));
        Assert.True(State(job) == "succeeded", $"{job["reason"]}");
        return job;
    }

    private static JsonObject Spec(string dataset, int epochs, object more)
    {
        var spec = JsonSerializer.SerializeToNode(more)!.AsObject();
        (spec["dataset"], spec["epochs"], spec["epsilon"], spec["batchSize"]) = (dataset, epochs, 0.1, 32);
        return spec;
    }

    private static int Count(JsonNode dataset, string part) => dataset["counts"]!.AsArray().Sum(one => one![part]!.GetValue<int>());
}
