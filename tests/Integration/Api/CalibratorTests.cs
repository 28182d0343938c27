using System.Net;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json.Nodes;
using Temper.Domain.Calibration;
using Temper.Domain.Calibration.Calibrators;
using Temper.Domain.Jobs;
using Temper.Domain.Serialization;

namespace Temper.Integration.Api;

/// <summary>The parameter `calibrator` of predictions and of ONNX files.</summary>
public class CalibratorTests(ApiFixture fixture) : OwnJobsTest(fixture)
{
    private const int Side = 8,
        Classes = 10,
        Images = 500;

    private static readonly JobResult Result = new(0.9, 0.3, 0.05, -0.09, 3, "cpu", 2, "libtorch", "00", []);

    private static readonly SplitScores Figures = new(0.9, 0.3, 0.1, 0.05, 0.05, 0.02, 0.3, 0.05);

    private static readonly byte[] Weights = ModelFile.Mlp(1, Side);

    [Fact]
    public async Task Predict_WithEachCalibrator_HasTheNllOfItsFitOnTheValidationImages()
    {
        // The model's log-probabilities are its logits but for a constant of each image.
        var plain = await FinishAsync(null);
        var random = new Random(2);
        var (validation, test) = (await LabelledAsync(plain, 1, random), await LabelledAsync(plain, 2, random));
        var id = await FinishAsync(StoredLogits.Of(validation, test, null));
        var report = await Api.GetAsync($"/jobs/{id}/calibration?resamples=0&measures=true");

        foreach (var name in Enum.GetValues<CalibratorName>())
        {
            var (used, nll) = await PredictAsync(id, Json.Name(name), test.Labels);

            Assert.Equal(Json.Name(name), used);
            var expected = name switch
            {
                CalibratorName.None => report["before"]!["nll"]!["value"]!.GetValue<double>(),
                CalibratorName.Temperature => report["after"]!["nll"]!["value"]!.GetValue<double>(),
                _ => CalibratorComparison.Fit(name, validation).Losses(test).Average(),
            };
            Assert.True(Math.Abs(expected - nll) < 1e-5, $"{name}: {nll}, not {expected}");
        }
        var chosen = $"{report["measures"]!["calibrators"]!["chosen"]}";
        Assert.Equal("biasCorrectedTemperature", chosen); // that is how the labels were drawn
        Assert.Equal(await PredictAsync(id, chosen, test.Labels), await PredictAsync(id, "chosen", test.Labels));
        Assert.Equal(await PredictAsync(id, "temperature", test.Labels), await PredictAsync(id, null, test.Labels));
    }

    [Fact]
    public async Task Onnx_WithEachCalibrator_NamesItAndHasItsOwnTag()
    {
        var logits = SimulatedLogits.Draw(Images, 2, 5);
        var id = await FinishAsync(StoredLogits.Of(logits, logits, null));
        var (plain, tag) = await OnnxAsync(id, "");
        var tags = new HashSet<string> { tag };

        foreach (var name in Enum.GetValues<CalibratorName>().Where(name => name != CalibratorName.Temperature))
        {
            var (file, own) = await OnnxAsync(id, $"&calibrator={Json.Name(name)}");
            Assert.True(tags.Add(own), own);
            Assert.True(
                file.AsSpan().IndexOf(Encoding.UTF8.GetBytes($"calibrator\u0012{(char)Json.Name(name).Length}{Json.Name(name)}")) > 0
            );
        }

        Assert.Equal($"\"{id:N}-onnx-uint8-2\"", tag);
        Assert.Equal(plain, (await OnnxAsync(id, "&calibrator=temperature")).File);
        Assert.Equal(plain, (await OnnxAsync(id, "&calibrator=chosen")).File); // the labels were drawn at another temperature
    }

    [Fact]
    public async Task Predict_OfJobsWithOtherLogits_UsesTheFitOfEach()
    {
        var plain = await FinishAsync(null);
        var random = new Random(3);
        var (drawn, test) = (await LabelledAsync(plain, 1, random), await LabelledAsync(plain, 2, random));
        var atRandom = new LabelledLogits(drawn.Logits, [.. Enumerable.Range(0, Images).Select(_ => random.Next(Classes))], Classes);
        var nlls = new List<double>();

        foreach (var validation in new[] { drawn, atRandom })
        {
            var id = await FinishAsync(StoredLogits.Of(validation, test, null));
            var (_, nll) = await PredictAsync(id, "vector", test.Labels);
            Assert.Equal(CalibratorComparison.Fit(CalibratorName.Vector, validation).Losses(test).Average(), nll, 1e-5);
            nlls.Add(nll);
        }

        Assert.True(nlls[1] > nlls[0] + 0.1, $"{nlls[0]}, {nlls[1]}");
    }

    [Fact]
    public async Task Onnx_WithTheTagOfAFittedCalibrator_Is304WithoutAFit()
    {
        var logits = SimulatedLogits.Draw(100, 2, 6);
        var id = await FinishAsync(StoredLogits.Of(logits, logits, null));
        var path = $"/jobs/{id}/model?format=onnx&calibrator=vector";
        var (_, tag) = await OnnxAsync(id, "&calibrator=isotonic");
        var ofVector = tag.Replace("isotonic", "vector");
        Assert.StartsWith("W/", tag);
        // With these labels, −1, a fit would fail.
        await Database.ExecuteAsync(
            $"UPDATE models SET validation_labels = decode(repeat('ff', length(validation_labels)), 'hex') WHERE job_id = '{id}'"
        );

        foreach (var known in new[] { ofVector, ofVector[2..], $"{tag}, {ofVector}", "*" })
        {
            var response = await AskAsync(path, known);
            Assert.Equal(HttpStatusCode.NotModified, response.StatusCode);
            Assert.Equal(ofVector, $"{response.Headers.ETag}");
        }
        Assert.Equal(HttpStatusCode.NotModified, (await AskAsync(path.Replace("vector", "isotonic"), tag)).StatusCode); // a fit is kept
        Assert.Equal(HttpStatusCode.OK, (await AskAsync(path.Replace("vector", "isotonic"), ofVector)).StatusCode);
        Assert.Equal($"\"{id:N}-onnx-uint8-2-none\"", (await OnnxAsync(id, "&calibrator=none")).Tag);
    }

    public static TheoryData<string, int?, string> Refusals =>
        new()
        {
            {
                "platt",
                100,
                "must be one of none, temperature, biasCorrectedTemperature, vector, structuredMatrix, histogram, isotonic, chosen; "
                    + "got platt"
            },
            { "Vector", 100, "isotonic, chosen; got Vector" },
            { "vector", null, "must be one of none, temperature for this job: its logits were not kept; got vector" },
            { "chosen", null, "must be one of none, temperature for this job: its logits were not kept; got chosen" },
            {
                "isotonic",
                4,
                "must be one of none, temperature for this job: it has 4 validation images, and a fit needs 10; got isotonic"
            },
        };

    [Theory, MemberData(nameof(Refusals))]
    public async Task BothRoutes_ACalibratorThatTheJobDoesNotAllow_NameThoseThatItAllows(
        string calibrator,
        int? validation,
        string sentence
    )
    {
        var id = await FinishAsync(
            validation is { } count ? StoredLogits.Of(SimulatedLogits.Draw(count, 1, 1), SimulatedLogits.Draw(20, 1, 2), null) : null
        );

        foreach (
            var response in new[]
            {
                await Http.PostAsync($"/jobs/{id}/predict?calibrator={calibrator}", Body(1)),
                await Http.GetAsync($"/jobs/{id}/model?format=onnx&calibrator={calibrator}"),
            }
        )
        {
            var problem = JsonNode.Parse(await response.Content.ReadAsStringAsync());
            AssertProblem(HttpStatusCode.BadRequest, response, problem);
            Assert.EndsWith(sentence, problem!["errors"]!["calibrator"]![0]!.GetValue<string>());
        }
        foreach (var allowed in new[] { "none", "temperature" })
        {
            Assert.Equal(allowed, (await PredictAsync(id, allowed, new int[Images])).Calibrator);
            await OnnxAsync(id, $"&calibrator={allowed}");
        }
    }

    [Fact]
    public async Task BothRoutes_AParameterThatIsNotTheirs_IsRefused()
    {
        var id = await FinishAsync(null);

        var (predicted, safetensors) = (
            await Http.PostAsync($"/jobs/{id}/predict?calibrater=none", Body(1)),
            await Http.GetAsync($"/jobs/{id}/model?calibrator=none")
        );

        foreach (var (response, name, sentence) in new[] { (predicted, "calibrater", "known are"), (safetensors, "calibrator", "onnx") })
        {
            var problem = JsonNode.Parse(await response.Content.ReadAsStringAsync());
            AssertProblem(HttpStatusCode.BadRequest, response, problem);
            Assert.Contains(sentence, problem!["errors"]![name]![0]!.GetValue<string>());
        }
    }

    /// <summary>
    /// The model's logits of images, with labels that are drawn from them at T = 2 with a bias of 1.5 for the class 0 and of −1.5 for the
    /// class 1.
    /// </summary>
    private async Task<LabelledLogits> LabelledAsync(Guid job, int seed, Random random)
    {
        var logits = Array.ConvertAll(Probabilities(await AnswerAsync(job, "none", seed)), p => (float)Math.Log(p));
        var labels = new int[Images];
        for (var i = 0; i < Images; i++)
        {
            var weights = logits.AsSpan(i * Classes, Classes).ToArray().Select((z, k) => Math.Exp(z / 2 + Bias(k))).ToArray();
            var u = random.NextDouble() * weights.Sum();
            while (labels[i] < Classes - 1 && (u -= weights[labels[i]]) >= 0)
                labels[i]++;
        }
        return new(logits, labels, Classes);

        static double Bias(int k) =>
            k switch
            {
                0 => 1.5,
                1 => -1.5,
                _ => 0,
            };
    }

    /// <returns>The calibrator that was used, and the mean −ln of the labels' probabilities on the images of seed 2.</returns>
    private async Task<(string Calibrator, double Nll)> PredictAsync(Guid job, string? calibrator, int[] labels)
    {
        var answer = await AnswerAsync(job, calibrator, 2);
        var probabilities = Probabilities(answer);
        return ($"{answer["calibrator"]}", labels.Select((label, i) => -Math.Log(probabilities[i * Classes + label])).Average());
    }

    private async Task<JsonNode> AnswerAsync(Guid job, string? calibrator, int seed)
    {
        var response = await Http.PostAsync($"/jobs/{job}/predict" + (calibrator is null ? "" : $"?calibrator={calibrator}"), Body(seed));
        var text = await response.Content.ReadAsStringAsync();
        Assert.True(response.StatusCode == HttpStatusCode.OK, text);
        return JsonNode.Parse(text)!;
    }

    private static double[] Probabilities(JsonNode answer) =>
        [.. answer["items"]!.AsArray().SelectMany(item => item!["probabilities"]!.AsArray()).Select(p => p!.GetValue<double>())];

    private async Task<(byte[] File, string Tag)> OnnxAsync(Guid job, string query)
    {
        var response = await Http.GetAsync($"/jobs/{job}/model?format=onnx{query}");
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        return (await response.Content.ReadAsByteArrayAsync(), $"{response.Headers.ETag}");
    }

    /// <summary>As many images as <see cref="Images"/>.</summary>
    private static JsonContent Body(int seed)
    {
        var pixels = new byte[Images * Side * Side];
        new Random(seed).NextBytes(pixels);
        return JsonContent.Create(new { images = pixels.Select(pixel => (int)pixel).Chunk(Side).Chunk(Side) });
    }

    /// <summary>A succeeded job with the weights, T = 2.5, and these logits.</summary>
    private async Task<Guid> FinishAsync(StoredLogits? logits)
    {
        var id = await Api.SubmitAsync(Spec);
        var job = await ClaimAsync();
        Assert.Equal(id, job.Id);
        await Queue.ReportAsync(job, [Metrics], null, default); // scores are stored for a job with epochs
        // With logits the report's T is that of a fit on them.
        var temperature = logits is null ? 2.5 : TemperatureFit.On(logits.Validation()).Temperature;
        Assert.True(await Queue.SucceedAsync(job, Result, new(Weights, logits, new(temperature, Figures, Figures)), default));
        return id;
    }
}
