using System.Net;
using System.Text.Json.Nodes;
using System.Xml.Linq;
using Temper.Domain.Calibration;
using Temper.Domain.Jobs;
using Temper.Domain.Smoothing;

namespace Temper.Integration.Api;

public class StudyReportTests(ApiFixture fixture) : OwnJobsTest(fixture)
{
    private const string Study =
        """{"job":{"dataset":"digits","epochs":"""
        + """2,"name":"<script>alert(1)</script>"},"name":"A & <b>B</b>","epsilons":[0,0.1],"seeds":2,"criterion":"ece"}""";

    private const int Figures = 12,
        Diagrams = 4,
        Curves = 3;

    private static readonly JobResult Result = new(0.99, 0.04, 0.01, -0.005, 2, "cpu", 2, "libtorch", "aa", [], "dd", "bb");

    private readonly Dictionary<Guid, Scores> scores = [];

    [Fact]
    public async Task Html_OfAFinishedStudy_IsOneWellFormedPageWithAllCharts()
    {
        var id = await SubmitAsync(Study);
        await FinishAllAsync(4);

        var (response, text, page) = await PageAsync(id);

        Assert.Equal("text/html", response.Content.Headers.ContentType!.MediaType);
        Assert.Equal("utf-8", response.Content.Headers.ContentType.CharSet);
        Assert.Equal(Figures + Diagrams + Curves, page.Descendants("svg").Count());
        Assert.All(
            page.Descendants("svg"),
            svg => Assert.Contains(svg.Descendants().Attributes("class"), mark => mark.Value is "point" or "line")
        );
        var recommendation = await Api.GetAsync($"/studies/{id}/recommendation");
        Assert.Equal(0.1, recommendation["epsilon"]!.GetValue<double>());
        Assert.Equal(
            recommendation["sentence"]!.GetValue<string>(),
            page.Descendants("p").Single(p => p.Attribute("class")?.Value == "answer").Value
        );
        Assert.Equal(
            recommendation["findings"]!.AsArray().Select(finding => finding!.GetValue<string>()),
            page.Descendants("ul").Single(ul => ul.Attribute("class")?.Value == "findings").Elements().Select(li => li.Value)
        );
        Assert.Equal(2, page.Descendants("tbody").Single().Elements("tr").Count());
        Assert.StartsWith("0.1", page.Descendants("tr").Single(tr => tr.Attribute("class")?.Value == "recommended").Value);
        Assert.DoesNotContain("NaN", text);
    }

    [Fact]
    public async Task Html_WithMarkupInNames_ShowsThemAsTextAndRefersToNothingElsewhere()
    {
        var id = await SubmitAsync(Study);
        await FinishAllAsync(1);

        var (response, text, page) = await PageAsync(id);

        Assert.Equal("A & <b>B</b>", page.Descendants("h1").Single().Value);
        Assert.Equal("A & <b>B</b>", page.Descendants("title").First().Value);
        Assert.Contains("<script>alert(1)</script>", page.Descendants("pre").Single().Value);
        Assert.DoesNotContain("<script", text, StringComparison.OrdinalIgnoreCase);
        Assert.DoesNotContain("<b>", text);
        Assert.DoesNotContain("http", text, StringComparison.OrdinalIgnoreCase);
        Assert.DoesNotContain(page.Descendants().Attributes(), attribute => attribute.Name.LocalName is "href" or "src");
        Assert.StartsWith(
            "default-src 'none'; style-src 'unsafe-inline'; form-action 'none'",
            response.Headers.GetValues("Content-Security-Policy").Single()
        );
    }

    [Fact]
    public async Task Json_OfAFinishedStudy_HasTheNumbersBehindThePage()
    {
        var id = await SubmitAsync(Study);
        await FinishAllAsync(4);

        var response = await Http.GetAsync($"/studies/{id}/report?format=json");
        var report = JsonNode.Parse(await response.Content.ReadAsStringAsync())!;

        Assert.Equal($"study-{id}.json", response.Content.Headers.ContentDisposition!.FileName);
        Assert.True(JsonNode.DeepEquals(await Api.GetAsync($"/studies/{id}"), report["study"]));
        Assert.True(JsonNode.DeepEquals(await Api.GetAsync($"/studies/{id}/recommendation"), report["recommendation"]));
        Assert.Equal(scores.Keys.Order(), report["jobs"]!.AsArray().Select(job => job!["id"]!.GetValue<Guid>()).Order());
        Assert.All(
            report["jobs"]!.AsArray(),
            job => Assert.Equal(scores[job!["id"]!.GetValue<Guid>()].Test.Ece, job["scores"]!["test"]!["ece"]!.GetValue<double>(), 12)
        );
        AssertArm(report["arms"]![0]!, epsilon: 0, meanTrainLoss: 0.85);
        AssertArm(report["arms"]![1]!, epsilon: 0.1, meanTrainLoss: 0.95);
        Assert.Equal([0, 0.1], report["reliability"]!.AsArray().Select(job => job!["arm"]!["epsilon"]!.GetValue<double>()));
        Assert.All(report["reliability"]!.AsArray(), job => AssertReliability(job!));
    }

    [Fact]
    public async Task Json_OfALongTraining_Has200EpochsOfTheJobsThatHaveSucceeded()
    {
        var id = await SubmitAsync("""{"job":{"dataset":"digits","epochs":1000},"epsilons":[0.1],"seeds":2}""");
        EpochMetrics[] epochs = [.. Enumerable.Range(1, 1000).Select(epoch => Metrics with { Epoch = epoch })];
        var job = await ClaimAsync();
        await Queue.ReportAsync(job, epochs, null, default);
        Assert.True(await Queue.SucceedAsync(job, Result, new([1, 2, 3], null), default));
        await Queue.ReportAsync(await ClaimAsync(), epochs, null, default);

        var curve = (await Api.GetAsync($"/studies/{id}/report?format=json"))["arms"]![0]!["epochs"]!.AsArray();

        Assert.Equal(200, curve.Count);
        Assert.Equal((1, 1000), (curve[0]!["epoch"]!.GetValue<int>(), curve[^1]!["epoch"]!.GetValue<int>()));
        Assert.All(curve, epoch => Assert.Equal(1, epoch!["seeds"]!.GetValue<int>()));
        Assert.Equal(Curves, (await PageAsync(id)).Page.Descendants("svg").Count()); // figures leave out a model without scores
    }

    [Fact]
    public async Task Html_OfAStudyWithoutAFinishedJob_SaysSoAndShowsWhatThereIs()
    {
        var id = await SubmitAsync("""{"job":{"dataset":"digits","epochs":2},"seeds":2}""");
        await ClaimAsync();

        var (_, text, page) = await PageAsync(id);

        Assert.Equal($"Study {id}", page.Descendants("h1").Single().Value);
        Assert.Contains("No job has succeeded yet.", text);
        Assert.Contains("12: 1 running, 11 queued", text);
        Assert.Equal(6, page.Descendants("tbody").Single().Elements("tr").Count());
        Assert.Empty(page.Descendants("svg"));
    }

    [Fact]
    public async Task Html_OfAStudyThatVariesMore_NamesItsLines()
    {
        var id = await SubmitAsync(
            """{"job":{"dataset":"digits","epochs":2},"epsilons":[0,0.1],"smoothing":["uniform","others"],"labelNoise":[0,0.2],"seeds":1}"""
        );
        await FinishAllAsync(6);

        var (_, _, page) = await PageAsync(id);

        var legends = page.Descendants("ul")
            .Where(ul => ul.Attribute("class")?.Value == "legend")
            .Select(ul => string.Join("; ", ul.Elements().Select(li => li.Value)));
        Assert.Equal(
            ["uniform, label noise 0; others, label noise 0; uniform, label noise 0.2; others, label noise 0.2", "ε = 0; ε = 0.1"],
            legends
        );
        Assert.Equal(["Label noise 0", "Label noise 0.2"], page.Descendants("h2").First().Parent!.Elements("h3").Select(h3 => h3.Value));
        Assert.Equal(2, page.Descendants("p").Count(p => p.Attribute("class")?.Value == "answer"));
    }

    [Theory]
    [InlineData("format=pdf", "format", "must be html or json; got pdf")]
    [InlineData("kind=html", "kind", "is not a parameter here; known are format")]
    public async Task Request_WithAWrongQuery_Is400AndNamesIt(string query, string field, string message)
    {
        var (response, problem) = await SendAsync(HttpMethod.Get, $"/studies/{await SubmitAsync(Study)}/report?{query}");

        AssertProblem(HttpStatusCode.BadRequest, response, problem);
        Assert.Equal(message, problem!["errors"]![field]![0]!.GetValue<string>());
    }

    [Fact]
    public async Task Request_ForAStudyThatDoesNotExist_Is404()
    {
        var (response, problem) = await SendAsync(HttpMethod.Get, $"/studies/{Guid.NewGuid()}/report");

        AssertProblem(HttpStatusCode.NotFound, response, problem);
    }

    private async Task<Guid> SubmitAsync(string study)
    {
        var (response, body) = await SendAsync(HttpMethod.Post, "/studies", study);
        Assert.Equal(HttpStatusCode.Accepted, response.StatusCode);
        return body!["id"]!.GetValue<Guid>();
    }

    private async Task<(HttpResponseMessage Response, string Text, XDocument Page)> PageAsync(Guid id)
    {
        var response = await Http.GetAsync($"/studies/{id}/report");
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        var text = await response.Content.ReadAsStringAsync();
        return (response, text, XDocument.Parse(text));
    }

    /// <summary>
    /// Finishes jobs as workers would. Without smoothing a model is over-confident; with smoothing it is about calibrated.
    /// </summary>
    private async Task FinishAllAsync(int jobs)
    {
        for (var i = 0; i < jobs; i++)
        {
            var job = await ClaimAsync();
            var (sharpness, seed) = (job.Spec.Epsilon == 0 ? 3 : 1, 10 * job.Spec.Seed);
            LabelledLogits validation = SimulatedLogits.Draw(2000, sharpness, seed),
                test = SimulatedLogits.Draw(4000, sharpness, seed + 1);
            var first = Metrics with { TrainLoss = 0.8 + job.Spec.Epsilon + 0.1 * job.Spec.Seed };
            await Queue.ReportAsync(job, [first, first with { Epoch = 2, ValidationLoss = 0.2 }], null, default);
            scores[job.Id] = Scores.Of(validation, test);
            Assert.True(
                await Queue.SucceedAsync(job, Result, new([1, 2, 3], StoredLogits.Of(validation, test, null), scores[job.Id]), default)
            );
        }
    }

    private static void AssertArm(JsonNode arm, double epsilon, double meanTrainLoss)
    {
        Assert.Equal(epsilon, arm["arm"]!["epsilon"]!.GetValue<double>());
        Assert.Equal(
            LabelSmoothing.Of(SmoothingConvention.Uniform, epsilon, 10).TargetEntropy,
            arm["targetEntropy"]!.GetValue<double>(),
            12
        );
        Assert.Equal([1, 2], arm["epochs"]!.AsArray().Select(epoch => epoch!["epoch"]!.GetValue<int>()));
        Assert.All(arm["epochs"]!.AsArray(), epoch => Assert.Equal(2, epoch!["seeds"]!.GetValue<int>()));
        Assert.Equal(meanTrainLoss, arm["epochs"]![0]!["trainLoss"]!.GetValue<double>(), 12);
    }

    /// <summary>Checks that the bins give the ECE of the job's scores.</summary>
    private void AssertReliability(JsonNode job)
    {
        var expected = scores[job["job"]!.GetValue<Guid>()];
        Assert.Equal(0, job["seed"]!.GetValue<long>());
        Assert.Equal(expected.Temperature, job["temperature"]!.GetValue<double>(), 12);
        foreach (var (when, ece) in new[] { ("before", expected.Test.Ece), ("after", expected.Test.EceAfterTemperature) })
        {
            var bins = job[when]!["bins"]!.AsArray();
            Assert.Equal(15, bins.Count);
            Assert.Equal(ece, job[when]!["ece"]!.GetValue<double>(), 12);
            Assert.Equal(
                ece,
                bins.Where(bin => bin!["count"]!.GetValue<int>() > 0)
                    .Sum(bin =>
                        bin!["count"]!.GetValue<int>()
                        / 4000.0
                        * Math.Abs(bin["accuracy"]!.GetValue<double>() - bin["meanConfidence"]!.GetValue<double>())
                    ),
                9
            );
        }
    }
}
