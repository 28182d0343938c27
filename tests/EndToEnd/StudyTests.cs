using System.Net.Http.Json;

namespace Temper.EndToEnd;

/// <summary>
/// Runs whole studies on real data by one POST each, and compares what they recommend with an analysis of the same numbers by
/// hand.
/// </summary>
public class StudyTests : EndToEndTest
{
    private sealed record Trained(double Epsilon, double LabelNoise, long Seed, double Ece, double TestAccuracy);

    /// <summary>The networks are small so that the grid takes a minute; on MNIST they show the same effect as the CNN.</summary>
    [MnistFact]
    public async Task Mnist_DefaultGrid_NeverRecommendsMuchSmoothingByEce()
    {
        await StartWorkersAsync(2);
        var study = await RunAsync(
            new
            {
                job = new
                {
                    dataset = "mnist",
                    epochs = 1,
                    model = "mlp",
                    widths = new[] { 64 },
                },
                criterion = "ece",
            },
            jobs: 18
        );
        var recommendation = await Api.GetAsync($"/studies/{study}/recommendation");

        var trained = await TrainedAsync(study);
        Assert.All(trained.Where(job => job.Epsilon >= 0.1), job => Assert.InRange(job.Ece, 0.03, 0.4));
        // The analysis by hand: for every seed, each ε from 0.1 on is further from calibrated than ε = 0, by about the same
        // amount.
        foreach (var epsilon in new[] { 0.1, 0.2, 0.3 })
            Assert.True(PairedT(trained, epsilon, 0) > 10, $"t of ε = {epsilon}");

        Assert.True(recommendation["differenceExists"]!.GetValue<bool>());
        Assert.InRange(recommendation["epsilon"]!.GetValue<double>(), 0, 0.05);
        var tied = Numbers(recommendation["tied"]!);
        Assert.Contains(recommendation["epsilon"]!.GetValue<double>(), tied);
        Assert.DoesNotContain(tied, epsilon => epsilon >= 0.1);
        var means = trained.GroupBy(job => job.Epsilon).ToDictionary(jobs => jobs.Key, jobs => jobs.Average(job => job.Ece));
        Assert.Equal(means.MinBy(mean => mean.Value).Key, recommendation["lowestMean"]!.GetValue<double>());
        foreach (var arm in recommendation["byLabelNoise"]![0]!["arms"]!.AsArray())
            Assert.Equal(means[arm!["arm"]!["epsilon"]!.GetValue<double>()], arm["meanLoss"]!.GetValue<double>(), 1e-9);
    }

    [Fact]
    public async Task Digits_WithAndWithoutLabelNoise_RecommendsWhatTheNumbersSayAndLeavesNoSlotIdle()
    {
        await StartWorkersAsync(2);
        var study = await RunAsync(
            new
            {
                job = new
                {
                    dataset = "digits",
                    epochs = 3,
                    model = "mlp",
                    widths = new[] { 64 },
                },
                labelNoise = new[] { 0, 0.4 },
                criterion = "nllAfterTemperature",
            },
            jobs: 36
        );

        await AssertNoIdleSlotAsync(study);
        var recommendation = await Api.GetAsync($"/studies/{study}/recommendation");
        var shown = await Api.GetAsync($"/studies/{study}");
        var (clean, noisy) = (recommendation["byLabelNoise"]![0]!, recommendation["byLabelNoise"]![1]!);
        Assert.Equal((0, 0.4), (clean["labelNoise"]!.GetValue<double>(), noisy["labelNoise"]!.GetValue<double>()));

        // The labels of digits are uncertain by construction, so no network is calibrated before smoothing or temperature
        // scaling.
        var plain = Row(shown, 0, 0);
        var chosen = Row(shown, clean["epsilon"]!.GetValue<double>(), 0);
        Assert.True(Mean(chosen, "eceAfterTemperature") < Mean(plain, "ece") + 0.01, $"{chosen} {plain}");
        var sentence = clean["sentence"]!.GetValue<string>();
        Assert.Matches("^(Use ε = 0|No significant difference .* prefer ε = 0)", sentence);
        Assert.Equal(clean["inShort"]!.GetValue<string>().Contains("calibrate afterwards"), sentence.Contains(" with temperature (T = "));

        var trained = await TrainedAsync(study);
        var finding = Assert.Single(
            noisy["findings"]!.AsArray().Select(one => one!.GetValue<string>()),
            one => one.StartsWith("Robustness to label noise of 0.4: test accuracy is ")
        );
        var noisyMeans = trained
            .Where(job => job.LabelNoise == 0.4)
            .GroupBy(job => job.Epsilon)
            .ToDictionary(jobs => jobs.Key, jobs => jobs.Average(job => job.TestAccuracy));
        Assert.Contains(noisyMeans[0].ToString("0.000"), finding);
        Assert.Matches("smoothing (gains|loses) accuracy\\.$|smoothing does not gain accuracy that these seeds could show\\.$", finding);
        foreach (var (epsilon, mean) in noisyMeans)
            Assert.Equal(mean, Mean(Row(shown, epsilon, 0.4), "accuracy"), 1e-9);
    }

    /// <summary>All losses train for real, and the answer is that of the numbers.</summary>
    [Fact]
    public async Task Digits_SmoothingAgainstOtherLosses_IsAnsweredByOnePost()
    {
        await StartWorkersAsync(2);
        var study = await RunAsync(
            new
            {
                job = new
                {
                    dataset = "digits",
                    epochs = 2,
                    model = "mlp",
                    widths = new[] { 64 },
                },
                epsilons = new[] { 0, 0.1 },
                grid = new
                {
                    loss = new[] { "crossEntropy", "focal", "confidencePenalty", "marginSmoothing", "maxSuppression" },
                    gammaSchedule = new[] { "constant", "flsd53" },
                    mixup = new[] { 0, 0.2 },
                },
            },
            jobs: 42
        );
        var recommendation = await Api.GetAsync($"/studies/{study}/recommendation");

        var ranked = recommendation["byLabelNoise"]![0]!["arms"]!.AsArray();
        Assert.Equal(14, ranked.Count);
        Assert.All(ranked, arm => Assert.Equal(0, arm!["diverged"]!.GetValue<int>()));
        var lowest = ranked.MinBy(arm => arm!["meanLoss"]!.GetValue<double>())!;
        var chosen = ranked.Single(arm => JsonNode.DeepEquals(arm!["arm"], recommendation["arm"]))!;
        // The chosen arm may be the best: it has the lowest mean or its interval to that one covers 0.
        Assert.True(chosen["isTied"]!.GetValue<bool>());
        Assert.True(chosen == lowest || chosen["interval"]!["low"]!.GetValue<double>() <= 0, chosen.ToJsonString());
        Assert.Equal(4, recommendation["findings"]!.AsArray().Count(finding => finding!.GetValue<string>().StartsWith("Another loss: ")));
        // Every loss has learned: a tenth is what guessing gives.
        var rows = (await Api.GetAsync($"/studies/{study}"))["rows"]!.AsArray();
        Assert.All(rows, row => Assert.InRange(Mean(row!, "accuracy"), 0.4, 1));
    }

    [Fact]
    public async Task Study_CancelledWhileItRuns_EndsAndKeepsWhatHasSucceeded()
    {
        await StartWorkersAsync(1);
        var id = await SubmitAsync(
            new
            {
                job = new { dataset = "digits", epochs = 1 },
                epsilons = new[] { 0, 0.1 },
                seeds = 40,
            }
        );
        await Eventually.TrueAsync(async () => Progress(await Api.GetAsync($"/studies/{id}"), "succeeded") >= 1, TimeSpan.FromSeconds(60));

        await Api.Http.PostAsync($"/studies/{id}/cancel", null);

        await EndedAsync(id, TimeSpan.FromSeconds(20));
        var study = await Api.GetAsync($"/studies/{id}");
        Assert.Equal(("cancelled", 80), (State(study), Progress(study, "succeeded") + Progress(study, "cancelled")));
    }

    [Fact]
    public async Task Study_WithHalvingAndABudget_IsSettledByItsWorker()
    {
        await StartWorkersAsync(1);
        // At ε = 0.9 one epoch leaves almost no confidence, so this arm is clearly worse after two seeds.
        var halved = await SubmitAsync(
            new
            {
                job = new { dataset = "digits", epochs = 1 },
                epsilons = new[] { 0, 0.9 },
                seeds = 6,
                criterion = "nll",
                successiveHalving = true,
            }
        );
        await EndedAsync(halved, TimeSpan.FromMinutes(1));
        var study = await Api.GetAsync($"/studies/{halved}");
        Assert.Equal("succeeded", State(study));
        Assert.InRange(Progress(study, "dropped"), 1, 4);
        Assert.Equal(12, Progress(study, "succeeded") + Progress(study, "dropped"));
        var recommendation = await Api.GetAsync($"/studies/{halved}/recommendation");
        Assert.Equal([0.0], Numbers(recommendation["tied"]!));

        var limited = await SubmitAsync(
            new
            {
                job = new { dataset = "digits", epochs = 1 },
                epsilons = new[] { 0 },
                seeds = 50,
                budget = new { maxMinutes = 0.01 },
            }
        );
        await EndedAsync(limited, TimeSpan.FromMinutes(1));
        Assert.InRange(Progress(await Api.GetAsync($"/studies/{limited}"), "cancelled"), 40, 49);
    }

    /// <summary>
    /// Checks that each slot claimed its next job at once while jobs were waiting: a slot polls within a second, and
    /// notifications come sooner.
    /// </summary>
    private async Task AssertNoIdleSlotAsync(Guid study)
    {
        var longest = await Database.ScalarAsync<double>(
            $"""
            SELECT max(extract(epoch FROM claimed_at - before))::float8
            FROM (SELECT attempts.claimed_at, lag(ended_at) OVER (PARTITION BY worker ORDER BY attempts.claimed_at) AS before
                  FROM attempts JOIN jobs ON id = job_id WHERE study_id = '{study}') gaps
            """
        );
        Assert.InRange(longest, 0, 0.5);
        Assert.Equal(
            2,
            await Database.ScalarAsync<long>(
                $"SELECT count(DISTINCT worker) FROM attempts JOIN jobs ON id = job_id WHERE study_id = '{study}'"
            )
        );
    }

    private async Task StartWorkersAsync(int count)
    {
        for (var i = 0; i < count; i++)
            await StartWorkerAsync();
    }

    private async Task<Guid> SubmitAsync(object study)
    {
        var response = await Api.Http.PostAsJsonAsync("/studies", study);
        var body = JsonNode.Parse(await response.Content.ReadAsStringAsync())!;
        Assert.True(response.IsSuccessStatusCode, body.ToJsonString());
        return body["id"]!.GetValue<Guid>();
    }

    private Task EndedAsync(Guid study, TimeSpan patience) =>
        Eventually.TrueAsync(async () => (await Api.GetAsync($"/studies/{study}"))["isTerminal"]!.GetValue<bool>(), patience);

    private async Task<Guid> RunAsync(object study, int jobs)
    {
        var id = await SubmitAsync(study);
        await EndedAsync(id, TimeSpan.FromMinutes(4));
        var ended = await Api.GetAsync($"/studies/{id}");
        Assert.Equal(("succeeded", jobs), (State(ended), Progress(ended, "succeeded")));
        return id;
    }

    /// <summary>The values that the jobs report: validation ECE of the last epoch, test accuracy of the result.</summary>
    private async Task<IReadOnlyList<Trained>> TrainedAsync(Guid study)
    {
        var trained = new List<Trained>();
        foreach (var job in (await Api.GetAsync($"/jobs?study={study}&limit=200"))["items"]!.AsArray())
        {
            var (spec, metrics) = (job!["spec"]!, await MetricsAsync(job["id"]!.GetValue<Guid>()));
            trained.Add(
                new(
                    spec["epsilon"]!.GetValue<double>(),
                    spec["labelNoise"]!.GetValue<double>(),
                    spec["seed"]!.GetValue<long>(),
                    metrics[^1]!["ece"]!.GetValue<double>(),
                    job["result"]!["testAccuracy"]!.GetValue<double>()
                )
            );
        }
        return trained;
    }

    /// <summary>The t statistic of the differences in ECE, paired by seed.</summary>
    private static double PairedT(IReadOnlyList<Trained> trained, double epsilon, double other)
    {
        double Ece(double of, long seed) => trained.Single(job => job.Epsilon == of && job.Seed == seed).Ece;
        double[] differences = [.. new long[] { 0, 1, 2 }.Select(seed => Ece(epsilon, seed) - Ece(other, seed))];
        var mean = differences.Average();
        return mean / Math.Sqrt(differences.Sum(difference => (difference - mean) * (difference - mean)) / 2 / 3);
    }

    private static JsonNode Row(JsonNode study, double epsilon, double noise) =>
        study["rows"]!
            .AsArray()
            .Single(row => row!["epsilon"]!.GetValue<double>() == epsilon && row["labelNoise"]!.GetValue<double>() == noise)!;

    private static double Mean(JsonNode row, string figure) => row[figure]!["mean"]!.GetValue<double>();

    private static int Progress(JsonNode study, string what) => study["progress"]![what]!.GetValue<int>();

    private static double[] Numbers(JsonNode array) => [.. array.AsArray().Select(number => number!.GetValue<double>())];
}
