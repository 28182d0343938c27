namespace Temper.EndToEnd;

public class CorruptionTests : EndToEndTest
{
    [Fact]
    public async Task Job_WithCorruptions_IsScoredOnEachAndLosesAccuracyWithStrength()
    {
        await StartWorkerAsync();
        var id = await Api.SubmitAsync(
            new
            {
                dataset = "digits:images=2000",
                epsilon = 0.1,
                epochs = 6,
                corruptions = true,
            }
        );
        Assert.Equal("succeeded", State(await Api.FinishedJobAsync(id, TimeSpan.FromSeconds(60))));

        var answer = await Api.GetAsync($"/jobs/{id}/corruptions");

        var rows = answer["rows"]!.AsArray();
        Assert.Equal(20, rows.Count);
        var clean = answer["clean"]!["accuracy"]!.GetValue<double>();
        Assert.Equal((await Api.JobAsync(id))["result"]!["testAccuracy"]!.GetValue<double>(), clean);
        Assert.True(clean > 0.5, $"{clean}");
        double[] rotated =
        [
            clean,
            .. rows.Where(row => $"{row!["kind"]}" == "rotation").Select(row => row!["scores"]!["accuracy"]!.GetValue<double>()),
        ];
        // Ten points apart, which is many standard errors of a share of the test images.
        Assert.True(rotated[0] > rotated[3] + 0.1 && rotated[3] > rotated[5] + 0.1, string.Join(", ", rotated));
    }
}
