using System.IO.Compression;
using System.Net;
using System.Text;
using System.Text.Json.Nodes;
using Temper.Domain.Calibration;
using Temper.Domain.Jobs;

namespace Temper.Integration.Api;

public class CalibrationTests(ApiFixture fixture) : ApiTest(fixture)
{
    private static readonly JobResult Result = new(0.9, 0.3, 0.05, -0.09, 3, "cpu", 2, "libtorch", "00", []);

    [Fact]
    public async Task Report_OfASucceededJob_HoldsEveryMetricBeforeAndAfterTemperature()
    {
        var (validation, test) = (SimulatedLogits.Draw(1000, 1.5, 1), SimulatedLogits.Draw(2000, 1.5, 2));
        var id = await FinishAsync(new([], StoredLogits.Of(validation, test, null)));

        var report = await Api.GetAsync($"/jobs/{id}/calibration");

        Assert.Equal((2000, 5), (report["count"]!.GetValue<int>(), report["classes"]!.GetValue<int>()));
        Assert.InRange(report["temperatureFit"]!["temperature"]!.GetValue<double>(), 1.3, 1.7);
        foreach (
            var (when, temperature) in new[] { ("before", 1), ("after", report["temperatureFit"]!["temperature"]!.GetValue<double>()) }
        )
        {
            var assessment = report[when]!;
            var predictions = Predictions.Of(test, temperature);
            Assert.Equal(predictions.Nll, assessment["nll"]!["value"]!.GetValue<double>(), 1e-12);
            foreach (var mean in new[] { "accuracy", "nll", "brier", "signedGap", "aurc" })
                Assert.InRange(
                    Value(assessment, mean, "value"),
                    Value(assessment, mean, "interval", "low"),
                    Value(assessment, mean, "interval", "high")
                );
            foreach (var error in new[] { "ece", "mce", "adaptiveEce", "classwiseEce", "l2", "smoothEce" })
                Assert.InRange(
                    Value(assessment, error, "chance", "mean"),
                    Value(assessment, error, "chance", "band", "low"),
                    Value(assessment, error, "chance", "band", "high")
                );
            Assert.Equal(15, assessment["reliability"]!.AsArray().Count);
            Assert.Equal(2000, assessment["reliability"]!.AsArray().Sum(bin => bin!["count"]!.GetValue<int>()));
            Assert.Equal(when == "before" ? "overConfident" : "calibrated", assessment["verdict"]!["name"]!.GetValue<string>());
        }
        Assert.Equal(
            ["guo", "torchmetrics", "netcal"],
            report["conventions"]!["values"]!.AsArray().Select(value => value!["binning"]!.GetValue<string>())
        );
        Assert.Contains("netcal takes 10 bins", report["conventions"]!["why"]!.GetValue<string>());
    }

    [Theory]
    [InlineData("binning=netcal", "netcal", 10)]
    [InlineData("binning=torchmetrics", "torchmetrics", 15)]
    [InlineData("binning=torchmetrics&bins=10", "torchmetrics", 10)]
    [InlineData("bins=7", "guo", 7)]
    public async Task Report_ByAnotherRule_IsRecomputedByIt(string query, string binning, int bins)
    {
        var test = SimulatedLogits.Draw(500, 1.5, 3);
        var id = await FinishAsync(new([], StoredLogits.Of(test, test, null)));

        var report = await Api.GetAsync($"/jobs/{id}/calibration?resamples=0&{query}");

        var rule = Enum.Parse<Binning>(binning, ignoreCase: true);
        var predictions = Predictions.Of(test);
        Assert.Equal((binning, bins), (report["options"]!["binning"]!.GetValue<string>(), report["options"]!["bins"]!.GetValue<int>()));
        Assert.Equal(
            CalibrationError.Expected(BinSums.EqualWidth(predictions.Confidences, predictions.Hits, bins, rule)),
            Value(report["before"]!, "ece", "value"),
            1e-12
        );
        Assert.Equal(rule.CountWithHidden(bins), report["before"]!["reliability"]!.AsArray().Count);
        Assert.Null(report["before"]!["verdict"]);
        Assert.Null(report["before"]!["nll"]!["interval"]);
    }

    [Fact]
    public async Task Report_AskedForAgain_IsNotComputedAgain()
    {
        var test = SimulatedLogits.Draw(500, 1, 4);
        var id = await FinishAsync(new([], StoredLogits.Of(test, test, null)));
        var first = await Http.GetAsync($"/jobs/{id}/calibration");

        var (same, other) = (
            await AskAsync($"/jobs/{id}/calibration", $"{first.Headers.ETag}"),
            await AskAsync($"/jobs/{id}/calibration?bins=10", $"{first.Headers.ETag}")
        );

        Assert.Equal(HttpStatusCode.NotModified, same.StatusCode);
        Assert.Equal(HttpStatusCode.OK, other.StatusCode);
        Assert.NotEqual(first.Headers.ETag, other.Headers.ETag);
    }

    [Fact]
    public async Task Report_OnlyOneImageOrOneClassSeen_StillAnswers()
    {
        var single = new LabelledLogits([2, 0, 1], [0], 3);
        var id = await FinishAsync(new([], StoredLogits.Of(single, single, [0.75])));

        var report = await Api.GetAsync($"/jobs/{id}/calibration");

        Assert.Equal("insufficientData", report["before"]!["verdict"]!["name"]!.GetValue<string>());
        Assert.Contains("half a mistake", report["temperatureFit"]!["note"]!.GetValue<string>());
        Assert.Equal(Value(report["before"]!, "signedGap", "value") + 0.25, Value(report["before"]!, "noiseFree", "signedGap"), 1e-12);
    }

    [Theory]
    [InlineData("calibration?binning=hist", "binning")]
    [InlineData("calibration?bins=0", "bins")]
    [InlineData("calibration?bins=201", "bins")]
    [InlineData("calibration?resamples=50", "resamples")]
    [InlineData("calibration?resamples=1000000", "resamples")]
    [InlineData("calibration?seed=-1", "seed")]
    [InlineData("calibration?measures=yes", "measures")]
    [InlineData("logits", "split")]
    [InlineData("logits?split=train", "split")]
    [InlineData("logits?split=test&format=csv", "format")]
    [InlineData("calibration?bin=10", "bin")]
    [InlineData("model?format=pt", "format")]
    [InlineData("model?format=onnx&input=float64", "input")]
    [InlineData("model?input=float32", "input")]
    public async Task Get_AWrongQuery_NamesTheField(string path, string field)
    {
        var id = await FinishAsync(new([], null));

        var (response, problem) = await SendAsync(HttpMethod.Get, $"/jobs/{id}/{path}");

        AssertProblem(HttpStatusCode.BadRequest, response, problem);
        Assert.NotNull(problem!["errors"]![field]);
    }

    [Theory]
    [InlineData("calibration")]
    [InlineData("logits?split=test")]
    [InlineData("model")]
    public async Task Get_AJobWithoutAModel_SaysWhy(string path)
    {
        var queued = await Api.SubmitAsync(Spec);

        var (response, problem) = await SendAsync(HttpMethod.Get, $"/jobs/{queued}/{path}");
        AssertProblem(HttpStatusCode.Conflict, response, problem);
        Assert.Contains("is queued", problem!["detail"]!.GetValue<string>());
        await SendAsync(HttpMethod.Post, $"/jobs/{queued}/cancel");

        (response, problem) = await SendAsync(HttpMethod.Get, $"/jobs/{Guid.NewGuid()}/{path}");
        AssertProblem(HttpStatusCode.NotFound, response, problem);
    }

    [Theory]
    [InlineData("calibration")]
    [InlineData("logits?split=validation")]
    public async Task Get_LogitsThatWereTooLargeToKeep_SaysWhy(string path)
    {
        var id = await FinishAsync(new([1, 2, 3], null));

        var (response, problem) = await SendAsync(HttpMethod.Get, $"/jobs/{id}/{path}");

        AssertProblem(HttpStatusCode.NotFound, response, problem);
        Assert.Contains("64 MiB", problem!["detail"]!.GetValue<string>());
        Assert.Equal([1, 2, 3], await Http.GetByteArrayAsync($"/jobs/{id}/model"));
    }

    [Fact]
    public async Task Logits_OfEachSplit_AreNumPyArrays()
    {
        var (validation, test) = (new LabelledLogits([1, 2, 3, 4], [1, 0], 2), new LabelledLogits([5.5f, -6], [0], 2));
        var id = await FinishAsync(new([], StoredLogits.Of(validation, test, null)));

        var file = await Http.GetByteArrayAsync($"/jobs/{id}/logits?split=validation");

        using var zip = new ZipArchive(new MemoryStream(file));
        var (header, logits) = ReadNpy(zip, "logits.npy");
        Assert.Equal("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 2), }", header);
        Assert.Equal([1, 2, 3, 4], System.Runtime.InteropServices.MemoryMarshal.Cast<byte, float>(logits).ToArray());
        (header, var labels) = ReadNpy(zip, "labels.npy");
        Assert.Equal("{'descr': '<i4', 'fortran_order': False, 'shape': (2,), }", header);
        Assert.Equal([1, 0], System.Runtime.InteropServices.MemoryMarshal.Cast<byte, int>(labels).ToArray());
        Assert.Equal(file, await Http.GetByteArrayAsync($"/jobs/{id}/logits?split=validation"));
        Assert.NotEqual(file, await Http.GetByteArrayAsync($"/jobs/{id}/logits?split=test"));
    }

    [Fact]
    public async Task Post_ValidateOnly_AnswersAdviceAndStoresNothing()
    {
        await FinishAsync(
            new([], null),
            """{"dataset":"kmnist","epsilon":0.1,"epochs":3}""",
            Result with
            {
                TestAccuracy = 0.95,
                TestSignedGap = -0.1,
            }
        );
        await FinishAsync(
            new([], null),
            """{"dataset":"kmnist","epsilon":0,"epochs":3}""",
            Result with
            {
                TestAccuracy = 0.97,
                TestSignedGap = 0.01,
            }
        );
        await FinishAsync(
            new([], null),
            """{"dataset":"kmnist","epsilon":0.1,"epochs":3,"labelNoise":0.4}""",
            Result with
            {
                TestAccuracy = 0.5,
            }
        );
        var before = await Database.ScalarAsync<long>("SELECT count(*) FROM jobs");

        var (response, answer) = await SendAsync(
            HttpMethod.Post,
            "/jobs?validateOnly=true",
            """{"dataset":"kmnist","epsilon":0.09,"smoothing":"others","epochs":3}"""
        );

        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.Equal(before, await Database.ScalarAsync<long>("SELECT count(*) FROM jobs"));
        Assert.Equal(128, answer!["spec"]!["batchSize"]!.GetValue<int>());
        Assert.Equal(0.91, answer["targets"]!["vector"]![0]!.GetValue<double>(), 1e-12);
        Assert.Equal(10, answer["targets"]!["vector"]!.AsArray().Count);
        Assert.Equal(Math.Log(91), Value(answer, "targets", "logitGap"), 1e-9);
        var advice = answer["advice"]!;
        Assert.Equal((2, 0.96), (advice["earlierJobs"]!.GetValue<int>(), Math.Round(Value(advice, "accuracy"), 12)));
        Assert.Equal(-0.1 * (0.96 - 0.1), Value(advice, "expectedSignedGap"), 1e-12);
        // Each job is compared with its own expectation: −0.1 + 0.1·0.85 = −0.015, and 0.01.
        Assert.Equal(-0.0025, Value(advice, "measured", "mean"), 1e-12);
        Assert.Equal(0.025 / Math.Sqrt(2), Value(advice, "measured", "deviation"), 1e-12);
        Assert.Equal(
            "Accuracy here is 0.96; at its optimum ε = 0.09 (others) is under-confident by about 0.09. Earlier jobs came out 0.00 "
                + "lower than this formula says.",
            advice["warnings"]![0]!.GetValue<string>()
        );
    }

    [Fact]
    public async Task Post_NoEarlierJobsOrNoSmoothing_WarnsOfNothing()
    {
        var (_, answer) = await SendAsync(
            HttpMethod.Post,
            "/jobs?validateOnly=true",
            """{"dataset":"fashion-mnist","epsilon":0,"epochs":3}"""
        );

        Assert.Null(answer!["targets"]!["logitGap"]);
        Assert.Null(answer["advice"]!["accuracy"]);
        Assert.Null(answer["advice"]!["expectedSignedGap"]);
        Assert.Empty(answer["advice"]!["warnings"]!.AsArray());

        var (response, problem) = await SendAsync(
            HttpMethod.Post,
            "/jobs?validateOnly=maybe",
            """{"dataset":"fashion-mnist","epsilon":0,"epochs":3}"""
        );
        AssertProblem(HttpStatusCode.BadRequest, response, problem);
        Assert.NotNull(problem!["errors"]!["validateOnly"]);
    }

    private async Task<Guid> FinishAsync(
        TrainedModel model,
        string spec = """{"dataset":"digits","epsilon":0.1,"epochs":3}""",
        JobResult? result = null
    )
    {
        var (_, job) = await SendAsync(HttpMethod.Post, "/jobs", spec);
        Assert.True(await Queue.SucceedAsync(await ClaimAsync(), result ?? Result, model, default));
        return job!["id"]!.GetValue<Guid>();
    }

    private static double Value(JsonNode node, params string[] path) => path.Aggregate(node, (at, name) => at[name]!).GetValue<double>();

    private static (string Header, byte[] Data) ReadNpy(ZipArchive zip, string name)
    {
        using var entry = zip.GetEntry(name)!.Open();
        var content = new MemoryStream();
        entry.CopyTo(content);
        var bytes = content.ToArray();
        Assert.Equal([0x93, .. "NUMPY"u8, 1, 0], bytes[..8]);
        var length = bytes[8] | bytes[9] << 8;
        Assert.Equal(0, (10 + length) % 64);
        return (Encoding.ASCII.GetString(bytes, 10, length).TrimEnd(), bytes[(10 + length)..]);
    }
}
