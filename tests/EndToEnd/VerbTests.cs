using System.Net;

namespace Temper.EndToEnd;

public class VerbTests : EndToEndTest
{
    [Fact]
    public async Task PauseAndResume_ATrainingJob_EndsWithTheBitsOfOneNeverTouched()
    {
        var spec = new
        {
            dataset = "digits",
            epsilon = 0.1,
            epochs = 5,
            seed = 3,
        };
        await StartWorkerAsync();
        var untouched = await Api.FinishedJobAsync(await Api.SubmitAsync(spec), TimeSpan.FromSeconds(60));
        var id = await Api.SubmitAsync(spec);
        await EpochsAsync(id, 2);

        await PostAsync(id, "pause");

        await Eventually.TrueAsync(async () => State(await Api.JobAsync(id)) == "paused", TimeSpan.FromSeconds(5));
        // The slot is free for others meanwhile.
        Assert.Equal("succeeded", State(await TrainShortJobAsync()));
        await PostAsync(id, "resume");
        var resumed = await Api.FinishedJobAsync(id, TimeSpan.FromSeconds(60));
        Assert.True(JsonNode.DeepEquals(untouched["result"], resumed["result"]), resumed["result"]!.ToJsonString());
        Assert.Equal((2, 0), (resumed["attempt"]!.GetValue<int>(), resumed["failures"]!.GetValue<int>()));
        Assert.Equal(["paused", "succeeded"], await OutcomesAsync(id));
    }

    [Fact]
    public async Task Retry_ACancelledJob_GoesOnFromItsCheckpoint()
    {
        await StartWorkerAsync(null, ("Worker__CheckpointSeconds", "1"));
        var id = await Api.SubmitAsync(
            new
            {
                dataset = "digits",
                epsilon = 0.1,
                epochs = 8,
                seed = 3,
            }
        );
        await Eventually.TrueAsync(
            async () => await Database.ScalarAsync<long>("SELECT count(*) FROM checkpoints") == 1 && (await MetricsAsync(id)).Count >= 1,
            TimeSpan.FromSeconds(60)
        );
        await PostAsync(id, "cancel");
        await Eventually.TrueAsync(async () => State(await Api.JobAsync(id)) == "cancelled", TimeSpan.FromSeconds(5));

        await PostAsync(id, "retry");

        var goneOn = await Api.FinishedJobAsync(id, TimeSpan.FromSeconds(60));
        Assert.Equal("succeeded", State(goneOn));
        int[] attempts = [1, 2];
        Assert.Equal(
            attempts,
            await Database.ScalarAsync<int[]>($"SELECT array_agg(DISTINCT attempt ORDER BY attempt) FROM epochs WHERE job_id = '{id}'")
        );
        Assert.Equal(8, (await MetricsAsync(id)).Count);
    }

    private async Task PostAsync(Guid id, string verb)
    {
        var response = await Api.Http.PostAsync($"/jobs/{id}/{verb}", null);
        Assert.True(response.StatusCode is HttpStatusCode.OK or HttpStatusCode.Accepted, await response.Content.ReadAsStringAsync());
    }
}
