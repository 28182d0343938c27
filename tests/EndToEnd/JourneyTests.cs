namespace Temper.EndToEnd;

public class JourneyTests : EndToEndTest
{
    [Fact]
    public async Task Job_FromPostToResult_ShowsProgressMetricsAndTheTestSetsFigures()
    {
        await StartWorkerAsync();
        var id = await Api.SubmitAsync(
            new
            {
                dataset = "digits",
                epsilon = 0.1,
                epochs = 6,
            }
        );

        var sawProgress = false;
        var counts = new HashSet<int>();
        await Eventually.TrueAsync(
            async () =>
            {
                var job = await Api.JobAsync(id);
                if (job["progress"] is { } progress)
                {
                    sawProgress = true;
                    Assert.Equal("running", State(job));
                    Assert.InRange(progress["epoch"]!.GetValue<int>(), 1, 6);
                    Assert.Equal(29, progress["steps"]!.GetValue<int>());
                    Assert.True(progress["imagesPerSecond"]!.GetValue<double>() > 0);
                    Assert.True(progress["secondsLeft"]!.GetValue<double>() >= 0);
                }
                counts.Add((await MetricsAsync(id)).Count);
                return job["isTerminal"]!.GetValue<bool>();
            },
            TimeSpan.FromSeconds(120)
        );

        Assert.True(sawProgress);
        Assert.True(counts.Count >= 4, $"Metrics grew by {string.Join(", ", counts)}.");
        var done = await Api.JobAsync(id);
        Assert.Equal("succeeded", State(done));
        Assert.Equal(6, done["result"]!["trainedEpochs"]!.GetValue<int>());
        Assert.InRange(done["result"]!["testAccuracy"]!.GetValue<double>(), 0.7, 0.95);
        var epochs = await MetricsAsync(id);
        Assert.Equal([1, 2, 3, 4, 5, 6], epochs.Select(epoch => epoch!["epoch"]!.GetValue<int>()));
        Assert.True(epochs[5]!["trainLoss"]!.GetValue<double>() < epochs[0]!["trainLoss"]!.GetValue<double>());
    }

    [Fact]
    public async Task Reproduce_OnTheSameWorkerThenWithMoreThreads_IsBitEqualThenSaysWhatChanged()
    {
        var worker = await StartWorkerAsync();
        var original = await Api.SubmitAsync(
            new
            {
                dataset = "digits",
                epsilon = 0.1,
                epochs = 2,
            }
        );
        await Api.FinishedJobAsync(original, TimeSpan.FromSeconds(60));

        var same = await ReproduceAsync(original);
        Assert.Equal("bitEqual", same["verdict"]!.GetValue<string>());
        Assert.Empty(same["changed"]!.AsArray());

        await worker.SignalAsync("TERM");
        await worker.WaitForExitAsync(TimeSpan.FromSeconds(15));
        await StartWorkerAsync(environment: ("Worker__Threads", "2"));
        var another = await ReproduceAsync(original);
        Assert.NotEqual("bitEqual", another["verdict"]!.GetValue<string>());
        Assert.Equal(["threads"], another["changed"]!.AsArray().Select(change => change!["name"]!.GetValue<string>()));

        async Task<JsonNode> ReproduceAsync(Guid id)
        {
            var response = await Api.Http.PostAsync($"/jobs/{id}/reproduce", null);
            Assert.Equal(System.Net.HttpStatusCode.Accepted, response.StatusCode);
            var repeated = JsonNode.Parse(await response.Content.ReadAsStringAsync())!["id"]!.GetValue<Guid>();
            await Api.FinishedJobAsync(repeated, TimeSpan.FromSeconds(60));
            return await Api.GetAsync($"/jobs/{repeated}/reproduction");
        }
    }

    [Fact]
    public async Task Job_SubmittedTwice_GivesTheSameBits()
    {
        await StartWorkerAsync();
        var spec = new
        {
            dataset = "digits",
            epsilon = 0.05,
            epochs = 2,
            labelNoise = 0.1,
            schedule = "cosine",
            optimizer = "sgd",
            learningRate = 0.05,
        };

        Guid[] ids = [await Api.SubmitAsync(spec), await Api.SubmitAsync(spec)];

        JsonNode[] jobs =
        [
            await Api.FinishedJobAsync(ids[0], TimeSpan.FromSeconds(60)),
            await Api.FinishedJobAsync(ids[1], TimeSpan.FromSeconds(60)),
        ];
        Assert.Matches("^[0-9a-f]{64}$", jobs[0]["result"]!["weightsSha256"]!.GetValue<string>());
        Assert.True(JsonNode.DeepEquals(jobs[0]["result"], jobs[1]["result"]), $"{jobs[0]["result"]}{jobs[1]["result"]}");
        Assert.Equal(await TimelessMetricsAsync(ids[0]), await TimelessMetricsAsync(ids[1]));
    }

    [Fact]
    public async Task Job_ThatDiverges_FailsAtOnceAndSaysWhy()
    {
        await StartWorkerAsync();

        var job = await Api.FinishedJobAsync(
            await Api.SubmitAsync(
                new
                {
                    dataset = "digits",
                    epsilon = 0,
                    epochs = 50,
                    optimizer = "sgd",
                    learningRate = 10,
                    weightDecay = 1,
                }
            ),
            TimeSpan.FromSeconds(60)
        );

        Assert.Equal("failed", State(job));
        Assert.Contains("diverged", job["reason"]!.GetValue<string>());
        Assert.Equal(1, job["attempt"]!.GetValue<int>());
    }

    [Fact]
    public async Task Job_LongerThanItsTimeout_FailsAtThatTime()
    {
        await StartWorkerAsync();

        var job = await Api.FinishedJobAsync(
            await Api.SubmitAsync(
                new
                {
                    dataset = "digits",
                    epsilon = 0,
                    epochs = 5000,
                    timeoutSeconds = 2,
                }
            ),
            TimeSpan.FromSeconds(30)
        );

        Assert.Equal("failed", State(job));
        Assert.Equal("ran longer than its timeoutSeconds of 2", job["reason"]!.GetValue<string>());
        var ran = job["finishedAt"]!.GetValue<DateTimeOffset>() - job["claimedAt"]!.GetValue<DateTimeOffset>();
        Assert.InRange(ran.TotalSeconds, 2, 4);
    }

    [Fact]
    public async Task Job_OnFilesThatAreBroken_FailsWithAReasonThatNamesThem()
    {
        var data = IdxFiles.WriteFolder(Path.Combine(Home, "data"), "kmnist", 30, 20);
        File.WriteAllText(Path.Combine(data, "kmnist", "t10k-labels-idx1-ubyte.gz"), "not gzip");
        await StartWorkerAsync(null, ("TEMPER_DATA", data));

        var job = await Api.FinishedJobAsync(
            await Api.SubmitAsync(
                new
                {
                    dataset = "kmnist",
                    epsilon = 0,
                    epochs = 1,
                    maxAttempts = 1,
                }
            ),
            TimeSpan.FromSeconds(30)
        );

        Assert.Equal("failed", State(job));
        Assert.Contains("t10k-labels-idx1-ubyte.gz", job["reason"]!.GetValue<string>());
    }

    private async Task<string> TimelessMetricsAsync(Guid id)
    {
        var epochs = await MetricsAsync(id);
        foreach (var epoch in epochs)
        {
            epoch!.AsObject().Remove("seconds");
            epoch.AsObject().Remove("imagesPerSecond");
        }
        return epochs.ToJsonString();
    }
}
