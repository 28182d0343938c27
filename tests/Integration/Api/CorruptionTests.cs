using System.Net;
using System.Text.Json.Nodes;
using Temper.Domain.Datasets;
using Temper.Domain.Jobs;
using Temper.Store.Queue;

namespace Temper.Integration.Api;

/// <summary>Tests what is stored and shown of models on corrupted test images; the tests do the work of a worker.</summary>
public class CorruptionTests(ApiFixture fixture) : OwnJobsTest(fixture)
{
    private static readonly JobResult Result = new(0.99, 0.04, 0.01, -0.005, 1, "cpu", 2, "libtorch", "aa", []);

    private static readonly object Corrupted = new
    {
        dataset = "digits",
        epsilon = 0.1,
        epochs = 1,
        corruptions = true,
    };

    [Fact]
    public async Task Get_OfAJobWithCorruptions_HasEachOfThemWithItsMeans()
    {
        var id = await Api.SubmitAsync(Corrupted);
        Assert.True(await SucceedAsync(await ClaimAsync(), 0.9));

        var (response, answer) = await SendAsync(HttpMethod.Get, $"/jobs/{id}/corruptions");

        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.Equal(id, answer!["job"]!.GetValue<Guid>());
        Assert.Equal(1.5, Number(answer["temperature"]));
        Assert.Equal(0.9, Number(answer["clean"]!["accuracy"]));
        var rows = answer["rows"]!.AsArray();
        Assert.Equal(
            "noise 1 0.08, noise 2 0.12, noise 3 0.18, noise 4 0.26, noise 5 0.38, blur 1 0.5, blur 2 1, blur 3 1.5, blur 4 2, "
                + "blur 5 2.5, rotation 1 10, rotation 2 20, rotation 3 30, rotation 4 40, rotation 5 50, contrast 1 0.75, "
                + "contrast 2 0.5, contrast 3 0.4, contrast 4 0.3, contrast 5 0.15",
            string.Join(", ", rows.Select(row => $"{row!["kind"]} {row["strength"]} {row["severity"]}"))
        );
        Assert.Equal(
            """{"accuracy":0.77,"nll":0.3,"brier":0.2,"ece":0.13,"signedGap":-0.1,"aurc":0.02,"nllAfterTemperature":0.25,""" // rotation 3
                + "\"eceAfterTemperature\":0.08,\"debiasedEce\":0.061,\"smoothEce\":0.072,\"debiasedEceAfterTemperature\":0.043,"
                + "\"smoothEceAfterTemperature\":0.054,\"augrc\":0.015}",
            Rounded(rows[12]!["scores"]!).ToJsonString()
        );
        Assert.Equal(["noise", "blur", "rotation", "contrast"], answer["means"]!.AsArray().Select(mean => $"{mean!["kind"]}"));
        Assert.Equal(0.9 - 0.03, Number(answer["means"]![0]!["scores"]!["accuracy"]), 1e-12);
        Assert.Equal(0.9 - 0.105, Number(answer["mean"]!["accuracy"]), 1e-12);

        Assert.Equal(HttpStatusCode.NotModified, (await AskAsync($"/jobs/{id}/corruptions", $"{response.Headers.ETag}")).StatusCode);
        Assert.Equal($"/jobs/{id}/corruptions", $"{(await Api.JobAsync(id))["links"]!["corruptions"]}");
        Assert.Equal(2, (await Api.JobAsync(id))["specRevision"]!.GetValue<int>());
    }

    [Fact]
    public async Task Get_OfAJobWithout_SaysWhatIsMissing()
    {
        var id = await Api.SubmitAsync(Spec);
        var (queued, why) = await SendAsync(HttpMethod.Get, $"/jobs/{id}/corruptions");
        AssertProblem(HttpStatusCode.Conflict, queued, why);

        Assert.True(await SucceedAsync(await ClaimAsync(), 0.9, corrupted: false));

        var (without, what) = await SendAsync(HttpMethod.Get, $"/jobs/{id}/corruptions");
        AssertProblem(HttpStatusCode.NotFound, without, what);
        Assert.Contains("`corruptions: true`", what!["detail"]!.GetValue<string>());
        Assert.Equal(1, (await Api.JobAsync(id))["specRevision"]!.GetValue<int>());
        Assert.Equal(HttpStatusCode.NotFound, (await SendAsync(HttpMethod.Get, $"/jobs/{Guid.NewGuid()}/corruptions")).Response.StatusCode);
    }

    [Fact]
    public async Task Submit_WithOtherThanTrueOrFalse_IsRefused()
    {
        var (response, problem) = await SendAsync(
            HttpMethod.Post,
            "/jobs",
            """{"dataset":"digits","epsilon":0,"epochs":1,"corruptions":20}"""
        );

        AssertProblem(HttpStatusCode.BadRequest, response, problem);
        Assert.Equal("must be true or false; got 20", $"{problem!["errors"]!["corruptions"]![0]}");
    }

    [Fact]
    public async Task Succeed_ByAnAttemptThatLostTheJob_StoresNothing()
    {
        var id = await Api.SubmitAsync(Corrupted);
        var stale = await ClaimAsync();
        Assert.True(await Queue.HandBackAsync(stale, "taken away", default));

        Assert.False(await SucceedAsync(stale, 0.5));
        Assert.Equal(0, await CountAsync());

        Assert.True(await SucceedAsync(await ClaimAsync(), 0.9));
        Assert.Equal(20, await CountAsync());
        Assert.Equal(HttpStatusCode.NoContent, (await SendAsync(HttpMethod.Delete, $"/jobs/{id}")).Response.StatusCode);
        Assert.Equal(0, await CountAsync());
    }

    [Fact]
    public async Task Reproduce_KeepsTheFieldAndComparesTheTestSetAlone()
    {
        var id = await Api.SubmitAsync(Corrupted);
        Assert.True(await SucceedAsync(await ClaimAsync(), 0.9));
        var (_, repeated) = await SendAsync(HttpMethod.Post, $"/jobs/{id}/reproduce");
        Assert.True(repeated!["spec"]!["corruptions"]!.GetValue<bool>());
        Assert.True(await SucceedAsync(await ClaimAsync(), 0.8));

        Assert.Equal("bitEqual", $"{(await Api.GetAsync($"/jobs/{repeated["id"]}/reproduction"))["verdict"]}");
    }

    [Fact]
    public async Task Study_OfJobsWithCorruptions_HasTheirMeansForEachArm()
    {
        var id = await SubmitStudyAsync("true");
        foreach (var accuracy in new[] { 0.9, 0.8, 0.94, 0.86 }) // the arms ε = 0 and 0.1 with seed 0, then with seed 1
            Assert.True(await SucceedAsync(await ClaimAsync(), accuracy));

        var rows = (await Api.GetAsync($"/studies/{id}"))["rows"]!.AsArray();

        // A job's mean over the 20 is 0.105 below its accuracy on clean images.
        Assert.Equal([0.815, 0.725], rows.Select(row => Math.Round(Number(row!["corruptedAccuracy"]!["mean"]), 9)));
        // 0.04/2 · 12.706: Student's t with one degree of freedom.
        Assert.Equal(0.815 - 0.02 * 12.70620, Number(rows[0]!["corruptedAccuracy"]!["interval"]!["low"]), 1e-5);
        Assert.Equal(0.1 + 0.03, Number(rows[0]!["corruptedEce"]!["mean"]), 1e-12);
        Assert.Equal(0.05 + 0.03, Number(rows[0]!["corruptedEceAfterTemperature"]!["mean"]), 1e-12);
        Assert.Equal(0.3, Number(rows[1]!["corruptedNll"]!["mean"]), 1e-12);
        Assert.Equal(0.25, Number(rows[1]!["corruptedNllAfterTemperature"]!["mean"]), 1e-12);
        var csv = (await Http.GetStringAsync($"/studies/{id}?format=csv")).Split('\n').Select(line => line.Split(',')).ToArray();
        Assert.Equal(
            0.725,
            double.Parse(csv[2][Array.IndexOf(csv[0], "corruptedAccuracy")], System.Globalization.CultureInfo.InvariantCulture),
            1e-9
        );
        var findings = (await Api.GetAsync($"/studies/{id}/recommendation"))["findings"]!.AsArray().Select(finding => $"{finding}");
        Assert.Equal(
            "Robustness to corruption: accuracy on corrupted test images is 0.815 at ε = 0 and 0.725 at ε = 0.1, no significant "
                + "difference (−0.0900, 95 % interval −0.217 to +0.0371); their ECE after temperature is 0.0800 at ε = 0 and 0.0800 at "
                + "ε = 0.1, no significant difference (0 with every seed, 95 % interval −0.000001 to +0.000001): smoothing does not help "
                + "under corruption that these seeds could show.",
            findings.Single(finding => finding.Contains("corruption"))
        );
        var page = await Http.GetStringAsync($"/studies/{id}/report");
        Assert.Contains(">Corrupted test set</th>", page);
        Assert.Equal(HttpStatusCode.NoContent, (await SendAsync(HttpMethod.Delete, $"/studies/{id}")).Response.StatusCode);
        Assert.Equal(0, await CountAsync());
    }

    [Fact]
    public async Task Study_OfJobsWithoutCorruptions_HasNoFiguresOfThem()
    {
        var id = await SubmitStudyAsync("false");
        Assert.True(await SucceedAsync(await ClaimAsync(), 0.9, corrupted: false));

        var row = (await Api.GetAsync($"/studies/{id}"))["rows"]![0]!;

        Assert.Equal(0.9, Number(row["accuracy"]!["mean"]));
        Assert.Null(row["corruptedAccuracy"]);
        Assert.DoesNotContain("Corrupted", await Http.GetStringAsync($"/studies/{id}/report"));
    }

    /// <summary>The corruptions of a job take one time, however many epochs it has.</summary>
    [Fact]
    public async Task Estimate_WithCorruptions_TakesEarlierJobsOfTheSameEpochsOnly()
    {
        await Api.SubmitAsync(Corrupted);
        Assert.True(await SucceedAsync(await ClaimAsync(), 0.9));
        await Database.ExecuteAsync("UPDATE attempts SET claimed_at = ended_at - interval '60 s'");

        Assert.Equal(1, Number((await EstimateAsync(1))["minutesPerJob"]), 0.01);
        Assert.Null((await EstimateAsync(4))["minutesPerJob"]);

        async Task<JsonNode> EstimateAsync(int epochs)
        {
            var study = $$$"""{"job":{"dataset":"digits","epochs":{{{epochs}}},"corruptions":true}}""";
            return (await SendAsync(HttpMethod.Post, "/studies?validateOnly=true", study)).Body!["estimate"]!;
        }
    }

    private async Task<string> SubmitStudyAsync(string corruptions)
    {
        var (_, study) = await SendAsync(
            HttpMethod.Post,
            "/studies",
            $$"""{"job":{"dataset":"digits","epochs":1,"corruptions":{{corruptions}}},"epsilons":[0,0.1],"seeds":2}"""
        );
        return $"{study!["id"]}";
    }

    /// <summary>
    /// Reports an epoch and then the result. Under corruption the accuracy falls by 0.01 for each strength, by another 0.05 from kind
    /// to kind, and the ECE rises by 0.01 for each strength.
    /// </summary>
    private async Task<bool> SucceedAsync(ClaimedJob job, double accuracy, bool corrupted = true)
    {
        await Queue.ReportAsync(job, [Metrics], null, default);
        var split = new SplitScores(accuracy, 0.2, 0.15, 0.05, 0.05, 0.01, 0.19, 0.01);
        CorruptionScores Scores(Corruption one) =>
            new(
                one,
                split with
                {
                    Accuracy = accuracy - 0.01 * one.Strength - 0.05 * (int)one.Kind,
                    Nll = 0.3,
                    Brier = 0.2,
                    Ece = 0.1 + 0.01 * one.Strength,
                    SignedGap = -0.1,
                    Aurc = 0.02,
                    NllAfterTemperature = 0.25,
                    EceAfterTemperature = 0.05 + 0.01 * one.Strength,
                    DebiasedEce = 0.061,
                    SmoothEce = 0.072,
                    DebiasedEceAfterTemperature = 0.043,
                    SmoothEceAfterTemperature = 0.054,
                    Augrc = 0.015,
                }
            );
        var model = new TrainedModel([1, 2, 3], null, new(1.5, split, split))
        {
            Corruptions = corrupted ? [.. Corruption.All.Select(Scores)] : [],
        };
        return await Queue.SucceedAsync(job, Result, model, default);
    }

    private Task<long> CountAsync() => Database.ScalarAsync<long>("SELECT count(*) FROM corruption_scores");

    private static JsonObject Rounded(JsonNode scores) =>
        new(scores.AsObject().Select(figure => KeyValuePair.Create(figure.Key, (JsonNode?)Math.Round(Number(figure.Value), 9))));

    private static double Number(JsonNode? figure) => figure!.GetValue<double>();
}
