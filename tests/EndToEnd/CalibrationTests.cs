using System.Diagnostics;
using Temper.Worker.Datasets;
using Temper.Worker.Datasets.Digits;

namespace Temper.EndToEnd;

/// <summary>Checks from outside what the service reports about models that it has trained.</summary>
[Collection(AloneCollection.Name)]
public class CalibrationTests : EndToEndTest
{
    [Fact]
    public async Task Report_OfDigitsOverFitted_SaysOverConfidentAndTheTrueProbabilitiesAgree()
    {
        await StartWorkerAsync(null, AllThreads);
        var id = await TrainAsync(
            new
            {
                dataset = "digits",
                epsilon = 0,
                epochs = 20,
            }
        );

        var report = await Api.GetAsync($"/jobs/{id}/calibration");

        var (before, after) = (report["before"]!, report["after"]!);
        Assert.Equal("overConfident", before["verdict"]!["name"]!.GetValue<string>());
        Assert.InRange(Value(before["noiseFree"]!["signedGap"]), 0.03, 0.2);
        Assert.InRange(Value(before["noiseFree"]!["ece"]), 0.03, 0.2);
        Assert.InRange(Value(report["temperatureFit"]!["temperature"]), 1.1, 10);
        Assert.True(Value(after["ece"]!["value"]) < Value(before["ece"]!["value"]));
        Assert.True(Value(after["noiseFree"]!["ece"]) < Value(before["noiseFree"]!["ece"]));
        await AssertPyTorchAgreesAsync(id, report, DigitsDataset.Draw(new()).Test.Pixels);
    }

    [MnistFact]
    public async Task Mnist_WithAndWithoutSmoothing_IsAccurateAndSmoothingMakesItUnderConfident()
    {
        await StartWorkerAsync(null, AllThreads);
        var id = await TrainAsync(
            new
            {
                dataset = "mnist",
                epsilon = 0.1,
                epochs = 3,
            }
        );
        var (smoothed, plain) = (
            (await Api.JobAsync(id))["result"]!,
            (
                await Api.JobAsync(
                    await TrainAsync(
                        new
                        {
                            dataset = "mnist",
                            epsilon = 0,
                            epochs = 3,
                        }
                    )
                )
            )["result"]!
        );

        foreach (var result in new[] { smoothed, plain })
        {
            Assert.InRange(Value(result["testAccuracy"]), 0.985, 1);
            Assert.Empty(result["notes"]!.AsArray());
        }
        // On a nearly certain set the confidence at the optimum of the smoothed loss lies ε(A − 1/K) ≈ 0.09 below the accuracy A.
        Assert.InRange(Value(smoothed["testSignedGap"]), -0.15, -0.05);
        Assert.True(
            Value(smoothed["testEce"]) > 5 * Value(plain["testEce"]),
            $"ECE {smoothed["testEce"]} at ε = 0.1, {plain["testEce"]} at ε = 0."
        );
        Assert.InRange(Value(plain["testEce"]), 0, 0.02);
        Assert.InRange(Value(plain["testSignedGap"]), -0.02, 0.02);

        var report = await Api.GetAsync($"/jobs/{id}/calibration");

        var (before, after) = (report["before"]!, report["after"]!);
        Assert.Equal("underConfident", before["verdict"]!["name"]!.GetValue<string>());
        Assert.StartsWith("Under-confident: mean confidence is below accuracy by 0.1", before["verdict"]!["sentence"]!.GetValue<string>());
        Assert.InRange(Value(report["temperatureFit"]!["temperature"]), 0.1, 0.9);
        Assert.InRange(Value(after["ece"]!["value"]), 0, 0.01);
        Assert.Null(before["noiseFree"]);
        var test = Path.Combine(Environment.GetEnvironmentVariable("TEMPER_DATA")!, "mnist", "t10k-images-idx3-ubyte.gz");
        await AssertPyTorchAgreesAsync(id, report, Idx.Read(test, [28, 28], out _, out _));

        // The service warns the next user who asks for the same spec.
        var checkedSpec = await PostAsync(
            "/jobs?validateOnly=true",
            new
            {
                dataset = "mnist",
                epsilon = 0.1,
                epochs = 3,
            }
        );
        Assert.StartsWith(
            "Accuracy here is 0.99; at its optimum ε = 0.1 is under-confident by about 0.09. Earlier jobs came out 0.0",
            checkedSpec["advice"]!["warnings"]![0]!.GetValue<string>()
        );
    }

    private static (string, string) AllThreads => ("Worker__Threads", Environment.ProcessorCount.ToString());

    private async Task<Guid> TrainAsync(object spec)
    {
        var id = await Api.SubmitAsync(spec);
        Assert.Equal("succeeded", State(await Api.FinishedJobAsync(id, TimeSpan.FromMinutes(5))));
        return id;
    }

    private async Task<JsonNode> PostAsync(string path, object body) =>
        JsonNode.Parse(
            await (await System.Net.Http.Json.HttpClientJsonExtensions.PostAsJsonAsync(Api.Http, path, body)).Content.ReadAsStringAsync()
        )!;

    /// <summary>Downloads weights and logits as a user would, and compares them with what PyTorch and NumPy compute.</summary>
    private async Task AssertPyTorchAgreesAsync(Guid id, JsonNode report, byte[] pixels)
    {
        var (model, logits, images) = (
            Path.Combine(Home, "model.safetensors"),
            Path.Combine(Home, "test.npz"),
            Path.Combine(Home, "images")
        );
        await File.WriteAllBytesAsync(model, await Api.Http.GetByteArrayAsync($"/jobs/{id}/model"));
        await File.WriteAllBytesAsync(logits, await Api.Http.GetByteArrayAsync($"/jobs/{id}/logits?split=test"));
        await File.WriteAllBytesAsync(images, pixels);

        using var python = Process.Start(
            new ProcessStartInfo(
                "/usr/bin/python3",
                [Path.Combine(TemperProcess.Repository, "tests/EndToEnd/check_model.py"), model, logits, images]
            )
            {
                RedirectStandardOutput = true,
            }
        )!;
        var found = JsonNode.Parse(await python.StandardOutput.ReadToEndAsync())!;

        Assert.Equal((report["count"]!.GetValue<int>(), 10), (found["count"]!.GetValue<int>(), found["classes"]!.GetValue<int>()));
        Assert.Equal(("float32", "int32"), (found["logitsType"]!.GetValue<string>(), found["labelsType"]!.GetValue<string>()));
        Assert.InRange(Value(found["relativeDifference"]), 0, 5e-6);
        foreach (var metric in new[] { "accuracy", "nll", "ece", "signedGap" })
            Assert.Equal(Value(found[metric]), Value(report["before"]![metric]!["value"]), 1e-9);
    }

    private static double Value(JsonNode? node) => node!.GetValue<double>();
}
