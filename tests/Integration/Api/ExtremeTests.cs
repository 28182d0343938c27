using System.Net;
using System.Reflection;
using System.Text.Json.Nodes;
using System.Xml.Linq;
using Temper.Domain.Jobs;
using Temper.Domain.Serialization;
using Temper.Store.Queue;

namespace Temper.Integration.Api;

/// <summary>
/// Tests figures at the limits of a double, and rows of another build: neither makes an answer fail, least of all a list.
/// </summary>
public class ExtremeTests(ApiFixture fixture) : OwnJobsTest(fixture)
{
    private static readonly JobResult Result = new(0.99, 0.04, 0.01, -0.005, 1, "cpu", 2, "libtorch", "aa", [], "dd", "bb");

    [Theory]
    [InlineData("5e-324", "uniform")]
    [InlineData("5e-324", "others")]
    [InlineData("1e-300", "uniform")]
    [InlineData("1", "uniform")]
    [InlineData("0.9", "others")]
    public async Task Get_AnEpsilonAtItsBounds_TellsFiniteTargets(string epsilon, string smoothing)
    {
        var (response, job) = await SendAsync(
            HttpMethod.Post,
            "/jobs",
            $$"""{"dataset":"digits","epsilon":{{epsilon}},"epochs":1,"smoothing":"{{smoothing}}"}"""
        );
        Assert.Equal(HttpStatusCode.Accepted, response.StatusCode);

        var listed = (await Api.GetAsync("/jobs"))["items"]!.AsArray().Single()!;

        Assert.Equal(job!["id"]!.GetValue<Guid>(), listed["id"]!.GetValue<Guid>());
        Assert.InRange(listed["targets"]!["logitGap"]!.GetValue<double>(), -1e-9, 750);
        Assert.Equal(HttpStatusCode.OK, (await Http.GetAsync($"/jobs/{job["id"]}")).StatusCode);
        if (epsilon == "5e-324" && smoothing == "uniform")
            Assert.Equal(-Math.Log(double.Epsilon) + Math.Log(10), listed["targets"]!["logitGap"]!.GetValue<double>(), 9);
    }

    [Fact]
    public async Task Get_FiguresThatAreNotFinite_GivesNull()
    {
        var id = await Api.SubmitAsync(
            new
            {
                dataset = "mnist",
                epsilon = 0.1,
                epochs = 3,
            }
        );
        var job = await ClaimAsync();
        await Queue.HeartbeatAsync(WorkerIdentity.Create("cpu", 1), [new(job, new(1, 3, 1, 9, 0, double.PositiveInfinity))], null, default);
        var running = await Api.JobAsync(id);
        await Queue.ReportAsync(
            job,
            [Metrics with { TrainLoss = double.PositiveInfinity, Ece = double.NaN, ValidationLoss = 1e300 }],
            null,
            default
        );
        Assert.True(
            await Queue.SucceedAsync(
                job,
                Result with
                {
                    TestLoss = double.NaN,
                    TestSignedGap = double.NaN,
                    TestAccuracy = double.NegativeInfinity,
                },
                new([1], null),
                default
            )
        );

        var listed = (await Api.GetAsync("/jobs"))["items"]![0]!;
        var epoch = (await Api.GetAsync($"/jobs/{id}/metrics"))["items"]![0]!;

        Assert.Null(running["progress"]!["secondsLeft"]);
        Assert.Null(listed["result"]!["testLoss"]);
        Assert.Equal(0.01, listed["result"]!["testEce"]!.GetValue<double>());
        Assert.Null(epoch["trainLoss"]);
        Assert.Null(epoch["ece"]);
        Assert.Equal(1e300, epoch["validationLoss"]!.GetValue<double>());
        // The next job's advice ignores this job's accuracy.
        var (response, next) = await SendAsync(HttpMethod.Post, "/jobs", """{"dataset":"mnist","epsilon":0.1,"epochs":3}""");
        Assert.Equal(HttpStatusCode.Accepted, response.StatusCode);
        Assert.Equal(0, next!["advice"]!["earlierJobs"]!.GetValue<int>());
    }

    /// <param name="worst">The figure of one of four jobs.</param>
    [Theory]
    [InlineData(1e300)]
    [InlineData(1.7e308)]
    [InlineData(5e-324)]
    [InlineData(0.5)]
    [InlineData(double.PositiveInfinity)]
    [InlineData(double.NaN)]
    public async Task Study_OfExtremeFigures_AnswersInEveryForm(double worst)
    {
        var (response, study) = await SendAsync(
            HttpMethod.Post,
            "/studies",
            """{"job":{"dataset":"digits","epochs":2},"epsilons":[0,5e-324],"seeds":2,"criterion":"nll"}"""
        );
        Assert.Equal(HttpStatusCode.Accepted, response.StatusCode);
        for (var i = 0; i < 4; i++)
        {
            var figure = i == 0 ? worst : 0.5;
            var job = await ClaimAsync();
            await Queue.ReportAsync(
                job,
                [Metrics with { TrainLoss = figure, ValidationLoss = figure }, Metrics with { Epoch = 2, TrainLoss = figure }],
                null,
                default
            );
            SplitScores split = new(0.9, figure, 0.2, 0.05, -0.03, figure, figure, 0.05);
            Assert.True(
                await Queue.SucceedAsync(
                    job,
                    Result with
                    {
                        TestLoss = figure,
                    },
                    new([1], null, new(i % 2 == 0 ? 0.01 : 100, split, split)),
                    default
                )
            );
        }
        var path = $"/studies/{study!["id"]}";

        var shown = await Api.GetAsync(path);
        var csv = await Http.GetStringAsync($"{path}?format=csv");
        var recommendation = await Api.GetAsync($"{path}/recommendation");
        var report = await Api.GetAsync($"{path}/report?format=json");
        var html = await Http.GetStringAsync($"{path}/report");

        var nll = shown["rows"]!.AsArray().Select(row => row!["nll"]!["mean"]).ToList();
        if (worst < 1e304)
            Assert.All(nll, mean => Assert.True(double.IsFinite(mean!.GetValue<double>())));
        else
            Assert.Single(nll, mean => mean is null);
        Assert.Equal(3, csv.TrimEnd().Split('\n').Length);
        Assert.NotEmpty(recommendation["sentence"]!.GetValue<string>());
        Assert.Equal(4, report["jobs"]!.AsArray().Count);
        var figures = string.Concat(XDocument.Parse(html).Descendants().Where(element => element.Name.LocalName is "svg" or "table"));
        foreach (var text in new[] { csv, figures })
            Assert.DoesNotContain("NaN", text);
        foreach (var text in new[] { csv, figures })
            Assert.DoesNotContain("Infinity", text);
        Assert.Single((await Api.GetAsync("/studies"))["items"]!.AsArray());
        Assert.Equal(4, (await Api.GetAsync($"/jobs?study={study["id"]}"))["items"]!.AsArray().Count);
    }

    [Fact]
    public async Task Lists_WithARowOfANewerBuild_LeaveItOutAndSaySo()
    {
        var readable = await Api.SubmitAsync(Spec);
        var odd = new Guid[5];
        for (var i = 0; i < odd.Length; i++)
            odd[i] = await Api.SubmitAsync(Spec);
        await Database.ExecuteAsync($$"""UPDATE jobs SET spec = spec || '{"model":"mamba"}' WHERE id = '{{odd[0]}}'""");
        await Database.ExecuteAsync($$"""UPDATE jobs SET spec = spec || '{"dataset":"imagenet"}' WHERE id = '{{odd[1]}}'""");
        await Database.ExecuteAsync($$"""UPDATE jobs SET spec = spec || '{"epsilon":1.5}' WHERE id = '{{odd[3]}}'""");
        await Database.ExecuteAsync($$"""UPDATE jobs SET spec = spec || '{"epsilon":null}' WHERE id = '{{odd[4]}}'""");
        await Database.ExecuteAsync($$"""UPDATE jobs SET progress = '{"epoch":"first"}' WHERE id = '{{odd[2]}}'""");
        var (_, study) = await SendAsync(
            HttpMethod.Post,
            "/studies",
            """{"job":{"dataset":"digits","epochs":2},"epsilons":[0],"seeds":1}"""
        );
        await Database.ExecuteAsync("""UPDATE studies SET spec = spec || '{"criterion":"vibes"}'""");

        var jobs = await Api.GetAsync("/jobs?dataset=mnist");
        var all = await Api.GetAsync("/jobs?limit=2");
        var studies = await Api.GetAsync("/studies");

        Assert.Equal(readable, jobs["items"]!.AsArray().Single()!["id"]!.GetValue<Guid>());
        foreach (var id in new[] { odd[0], odd[2], odd[3], odd[4] })
            Assert.Contains($"{id}", jobs["note"]!.GetValue<string>());
        Assert.NotNull(all["next"]);
        Assert.Empty(studies["items"]!.AsArray());
        Assert.Contains($"{study!["id"]}", studies["note"]!.GetValue<string>());
    }

    /// <summary>Every answer is written with these options, so this test covers the numbers of every answer.</summary>
    [Theory]
    [InlineData(double.NaN)]
    [InlineData(double.PositiveInfinity)]
    [InlineData(double.NegativeInfinity)]
    public void Json_OfANumberThatIsNotFinite_IsNullAndIsReadAgain(double value)
    {
        var json = Json.Write(Metrics with { TrainLoss = value });

        Assert.Null(JsonNode.Parse(json)!["trainLoss"]);
        Assert.Equal(double.NaN, Json.Read<EpochMetrics>(json).TrainLoss);
        Assert.Equal("[null,1]", Json.Write(new double?[] { value, 1 }));
        // A property of type float or Half would need its own converter.
        Assert.DoesNotContain(
            typeof(Json)
                .Assembly.GetTypes()
                .Concat(typeof(JobSpec).Assembly.GetTypes())
                .Where(type => type.IsPublic)
                .SelectMany(type => type.GetProperties(BindingFlags.Public | BindingFlags.Instance)),
            property => property.PropertyType == typeof(float) || property.PropertyType == typeof(Half)
        );
    }
}
