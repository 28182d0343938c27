using System.Diagnostics;
using System.Net;
using System.Text.Json.Nodes;
using Temper.Domain.Jobs;

namespace Temper.Integration.Api;

/// <summary>Tests the metrics in the formats of other tools.</summary>
public class CurveTests(ApiFixture fixture) : OwnJobsTest(fixture)
{
    private const string Header =
        "epoch,trainLoss,trainAccuracy,validationLoss,validationAccuracy,ece,signedGap,learningRate,seconds,imagesPerSecond,"
        + "validationLossAfterTemperature";

    [Fact]
    public async Task Metrics_AsCsv_AreTheJsonWithEmptyFieldsForWhatIsNotFinite()
    {
        var id = await Api.SubmitAsync(Spec);
        Assert.Equal($"{Header}\n", await Http.GetStringAsync($"/jobs/{id}/metrics?format=csv"));
        await Queue.ReportAsync(
            await ClaimAsync(),
            [Metrics with { ValidationLossAfterTemperature = 0.18 }, Metrics with { Epoch = 2, TrainLoss = double.NaN }],
            null,
            default
        );

        var response = await Http.GetAsync($"/jobs/{id}/metrics?format=csv");
        Assert.Equal("text/csv", response.Content.Headers.ContentType!.MediaType);
        Assert.Equal(
            $"{Header}\n1,0.7,0.9,0.2,0.95,0.05,-0.03,0.001,1.5,2400,0.18\n2,,0.9,0.2,0.95,0.05,-0.03,0.001,1.5,2400,\n",
            await response.Content.ReadAsStringAsync()
        );
        Assert.Equal(
            $"{Header}\n2,,0.9,0.2,0.95,0.05,-0.03,0.001,1.5,2400,\n",
            await Http.GetStringAsync($"/jobs/{id}/metrics?format=csv&since=1")
        );
        var known = await AskAsync($"/jobs/{id}/metrics?format=csv", response.Headers.ETag!.ToString());
        Assert.Equal(HttpStatusCode.NotModified, known.StatusCode);
    }

    [Fact]
    public async Task StudyMetrics_InBothFormats_HaveEveryEpochOfEveryJob()
    {
        var (_, study) = await SendAsync(
            HttpMethod.Post,
            "/studies",
            """{"job":{"dataset":"digits","epochs":2},"epsilons":[0,0.1],"seeds":2}"""
        );
        var path = study!["links"]!["metrics"]!.GetValue<string>();
        for (var i = 0; i < 3; i++)
            await Queue.ReportAsync(await ClaimAsync(), [Metrics, Metrics with { Epoch = 2, Ece = double.NaN }], null, default);

        var items = (await Api.GetAsync(path))["items"]!.AsArray();
        Assert.Equal(
            [(0, 0, 1), (0, 0, 2), (0.1, 0, 1), (0.1, 0, 2), (0, 1, 1), (0, 1, 2)],
            items.Select(item => (item!["epsilon"]!.GetValue<double>(), item["seed"]!.GetValue<int>(), item["epoch"]!.GetValue<int>()))
        );
        Assert.Equal(3, items.Select(item => item!["job"]!.GetValue<Guid>()).Distinct().Count());
        Assert.Null(items[1]!["ece"]);

        var lines = (await Http.GetStringAsync($"{path}?format=csv")).TrimEnd('\n').Split('\n').Select(line => line.Split(',')).ToList();
        Assert.Equal(items[0]!.AsObject().Select(property => property.Key), lines[0]);
        Assert.Equal(
            items.Select(item =>
                string.Join(',', item!.AsObject().Select(property => property.Key == "settings" ? "\"{}\"" : property.Value?.ToString()))
            ),
            lines.Skip(1).Select(line => string.Join(',', line))
        );
    }

    [Fact]
    public async Task StudyMetrics_OfMoreJobsThanAPage_HaveEachOnce()
    {
        var (_, study) = await SendAsync(
            HttpMethod.Post,
            "/studies",
            """{"job":{"dataset":"digits","epochs":1},"epsilons":[0,0.1],"seeds":501}"""
        );
        await Database.ExecuteAsync(
            "INSERT INTO epochs (job_id, epoch, attempt, train_loss, train_accuracy, validation_loss, validation_accuracy, ece, "
                + "signed_gap, learning_rate, seconds, images_per_second) SELECT id, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1 FROM jobs"
        );

        var csv = await Http.GetStringAsync($"/studies/{study!["id"]}/metrics?format=csv");

        var jobs = csv.TrimEnd('\n').Split('\n').Skip(1).Select(line => line.Split(',')[1]).ToList();
        Assert.Equal((1002, 1002), (jobs.Count, jobs.Distinct().Count()));
    }

    [Theory]
    [InlineData("/jobs/JOB/metrics?format=xml&since=-1", 400, "format", "since")]
    [InlineData("/studies/STUDY/metrics?format=xml&since=1", 400, "format", "since")]
    [InlineData("/jobs/01890000-0000-7000-8000-000000000000/metrics?format=csv", 404)]
    [InlineData("/studies/01890000-0000-7000-8000-000000000000/metrics?format=csv", 404)]
    [InlineData("/jobs/01890000-0000-7000-8000-000000000000/tensorboard", 404)]
    public async Task Curves_OfAWrongRequest_AreAProblem(string path, int status, params string[] wrong)
    {
        var rows = await StoreOfEachKindAsync();

        var (response, problem) = await SendAsync(HttpMethod.Get, path.Replace("JOB", $"{rows.Job}").Replace("STUDY", $"{rows.Study}"));

        AssertProblem((HttpStatusCode)status, response, problem);
        Assert.Equal(wrong, problem!["errors"]?.AsObject().Select(error => error.Key).Order() ?? Enumerable.Empty<string>());
    }

    /// <summary>The reader is written from the formats' documents and shares no code with the service.</summary>
    [Fact]
    public async Task TensorBoard_OfASucceededJob_IsReadByAnIndependentReader()
    {
        var id = await Api.SubmitAsync(Spec);
        var claimed = await ClaimAsync();
        var first = Metrics with { ValidationLossAfterTemperature = 0.18 };
        await Queue.ReportAsync(claimed, [first, Metrics with { Epoch = 3, TrainLoss = double.NaN, Seconds = 200 }], null, default);
        var result = new JobResult(0.99, 0.04, 0.01, -0.005, 3, "cpu", 2, "libtorch", "00", []) { KeptEpoch = 1 };
        await Queue.SucceedAsync(claimed, result, new([1, 2, 3], null), default);

        var response = await Http.GetAsync($"/jobs/{id}/tensorboard");

        var submitted = (await Api.JobAsync(id))["createdAt"]!.GetValue<DateTimeOffset>();
        Assert.Equal($"events.out.tfevents.{submitted.ToUnixTimeSeconds()}.{id}", response.Content.Headers.ContentDisposition!.FileName);
        var events = await ReadAsync(await response.Content.ReadAsByteArrayAsync());
        Assert.Equal("brain.Event:2", events[0]!["version"]!.GetValue<string>());
        Assert.Equal([null, 1, 3, 1], events.Select(one => one!["step"]?.GetValue<int>()));
        var start = submitted.ToUnixTimeMilliseconds() / 1000.0;
        Assert.Equal([0, 1.5, 201.5, 201.5], events.Select(one => Math.Round(one!["time"]!.GetValue<double>() - start, 3)));
        Assert.Equal(Header.Split(',').Skip(1), events[1]!["values"]!.AsObject().Select(value => value.Key));
        Assert.Equal(0.7, events[1]!["values"]!["trainLoss"]!.GetValue<double>(), 1e-7);
        Assert.Null(events[2]!["values"]!["validationLossAfterTemperature"]); // an older build's epoch
        Assert.Equal("nan", events[2]!["values"]!["trainLoss"]!.GetValue<string>());
        Assert.Equal(-0.03, events[2]!["values"]!["signedGap"]!.GetValue<double>(), 1e-7);
        Assert.Equal(["testAccuracy", "testLoss", "testEce", "testSignedGap"], events[3]!["values"]!.AsObject().Select(value => value.Key));
    }

    private static async Task<JsonArray> ReadAsync(byte[] file)
    {
        var start = new ProcessStartInfo(
            "/usr/bin/python3",
            [Path.Combine(TemperProcess.Repository, "tests/Integration/Api/read_tfevents.py")]
        )
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        using var python = Process.Start(start)!;
        await python.StandardInput.BaseStream.WriteAsync(file);
        python.StandardInput.Close();
        var (output, errors) = (python.StandardOutput.ReadToEndAsync(), python.StandardError.ReadToEndAsync());
        Assert.True((await errors).Length == 0, await errors);
        return JsonNode.Parse(await output)!.AsArray();
    }
}
