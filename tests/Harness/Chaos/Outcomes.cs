using System.Text.Json.Nodes;

namespace Temper.Harness.Chaos;

/// <summary>The outcome of each spec without disturbance, with which every other run of the spec is compared.</summary>
public sealed class Outcomes
{
    private readonly JsonNode[] undisturbed;

    private Outcomes(JsonNode[] undisturbed) => this.undisturbed = undisturbed;

    /// <summary>Seconds from claim to end, for each spec.</summary>
    public IReadOnlyList<double> Seconds { get; private init; } = [];

    /// <summary>Trains every spec once, one after another.</summary>
    public static async Task<Outcomes> OfUndisturbedAsync(ChaosPlan plan, ChaosDatabase database, CarefulClient client)
    {
        var ids = new List<Guid>();
        for (var spec = 0; spec < plan.Specs.Count; spec++)
            ids.Add(
                await client.SubmitAsync(plan.Specs[spec], $"undisturbed-{spec}")
                    ?? throw new InvalidOperationException("A spec was refused.")
            );
        await Eventually.TrueAsync(
            async () =>
            {
                await Task.Delay(TimeSpan.FromMilliseconds(200)); // each query takes a little time from the training
                return await database.CountAsync("SELECT count(*) FROM jobs WHERE finished_at IS NULL") == 0;
            },
            TimeSpan.FromSeconds(20 * ids.Count)
        );
        var seconds = await database.RowsAsync(
            "SELECT extract(epoch FROM finished_at - claimed_at)::text FROM jobs WHERE state = 'succeeded' AND attempt = 1"
        );
        if (seconds.Count != ids.Count)
            throw new InvalidOperationException("An undisturbed job did not succeed at once.");
        return new([.. await Task.WhenAll(ids.Select(id => OfAsync(id, client)))])
        {
            Seconds = [.. seconds.Select(text => double.Parse(text, System.Globalization.CultureInfo.InvariantCulture))],
        };
    }

    /// <returns>Null when the job has the same outcome as the undisturbed one; otherwise a text with both outcomes.</returns>
    public async Task<string?> DifferenceAsync(Guid id, int spec, CarefulClient client)
    {
        var outcome = await OfAsync(id, client);
        return JsonNode.DeepEquals(outcome, undisturbed[spec])
            ? null
            : $"spec {spec}\n  undisturbed {undisturbed[spec].ToJsonString()}\n  in chaos    {outcome.ToJsonString()}";
    }

    /// <summary>The result and the metrics of every epoch, without the fields that measure time or name the build.</summary>
    private static async Task<JsonNode> OfAsync(Guid id, CarefulClient client)
    {
        var metrics = (await client.GetAsync($"/jobs/{id}/metrics"))["items"]!.AsArray();
        foreach (var epoch in metrics)
        foreach (var field in new[] { "seconds", "imagesPerSecond" })
            epoch!.AsObject().Remove(field);
        var result = (await client.GetAsync($"/jobs/{id}"))["result"]?.DeepClone();
        result?.AsObject().Remove("build");
        return new JsonObject { ["result"] = result, ["metrics"] = metrics.DeepClone() };
    }
}
