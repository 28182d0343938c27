namespace Temper.EndToEnd;

public class MnistTests : EndToEndTest
{
    [MnistFact]
    public async Task Mnist_ThreeEpochs_IsAccurateAndSmoothingMakesItUnderConfident()
    {
        await StartWorkerAsync(null, ("TEMPER_DATA", Environment.GetEnvironmentVariable("TEMPER_DATA")!));

        var smoothed = await ResultAsync(0.1);
        var plain = await ResultAsync(0);

        Assert.InRange(smoothed.Accuracy, 0.985, 1);
        Assert.InRange(plain.Accuracy, 0.985, 1);
        // The optimum of the smoothed loss on a nearly certain set lies ε(A − 1/K) ≈ 0.09 below its accuracy.
        Assert.InRange(smoothed.SignedGap, -0.15, -0.05);
        Assert.True(smoothed.Ece > 5 * plain.Ece, $"ECE {smoothed.Ece} at ε = 0.1, {plain.Ece} at ε = 0.");
        Assert.InRange(plain.Ece, 0, 0.02);
        Assert.InRange(plain.SignedGap, -0.02, 0.02);
    }

    private async Task<(double Accuracy, double Ece, double SignedGap)> ResultAsync(double epsilon)
    {
        var id = await Api.SubmitAsync(new { dataset = "mnist", epsilon, epochs = 3 });
        var job = await Api.FinishedJobAsync(id, TimeSpan.FromMinutes(5));
        Assert.Equal("succeeded", State(job));
        var result = job["result"]!;
        Assert.Empty(result["notes"]!.AsArray());
        Assert.Equal(3, result["trainedEpochs"]!.GetValue<int>());
        Assert.True(result["testLoss"]!.GetValue<double>() > 0);
        return (result["testAccuracy"]!.GetValue<double>(), result["testEce"]!.GetValue<double>(), result["testSignedGap"]!.GetValue<double>());
    }
}
