using Temper.Worker.Datasets.Digits;

namespace Temper.EndToEnd;

public class ExportTests : EndToEndTest
{
    private const int Side = 28;

    private static readonly string[] Models = ["cnn", "lenet5", "mlp", "resnet20", "resnet56"];

    [Fact]
    public async Task EveryModel_InOnnxRuntimeInPyTorchAndByPredict_GivesTheLogitsOfItsTraining()
    {
        await StartWorkerAsync(null, ("Worker__Threads", $"{Environment.ProcessorCount}"));
        var jobs = new List<Guid>();
        foreach (var model in Models)
            jobs.Add(await Api.SubmitAsync(Spec(model)));
        foreach (var job in jobs)
            Assert.Equal("succeeded", State(await Api.FinishedJobAsync(job, TimeSpan.FromMinutes(3))));

        var check = new ExportCheck(Api, Home);
        var pixels = DigitsDataset.Draw(new()).Test.Pixels;
        foreach (var job in jobs)
            await check.CheckAsync(job, pixels, channels: 1, Side, Side);
        await check.CheckInPythonAsync();
    }

    private static object Spec(string model) =>
        model.StartsWith("resnet", StringComparison.Ordinal)
            ? new
            {
                dataset = "digits", // with fewer steps the batch norms' statistics are those of no images, and the logits large
                epsilon = 0.1,
                epochs = 1,
                model,
                width = 8,
                validationFraction = 0.5,
            }
            : new
            {
                dataset = "digits:images=500",
                epsilon = 0.1,
                epochs = 2,
                model,
            };
}
