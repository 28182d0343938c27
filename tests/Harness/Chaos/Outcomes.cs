using System.Text.Json.Nodes;

namespace Temper.Harness.Chaos;

/// <summary>What each spec gives when nothing disturbs it, to hold every other run of it against.</summary>
public sealed class Outcomes
{
    private readonly JsonNode[] undisturbed;

    private Outcomes(JsonNode[] undisturbed) => this.undisturbed = undisturbed;

    /// <summary>Seconds from claim to end, of each spec.</summary>
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
                await Task.Delay(TimeSpan.FromMilliseconds(200)); // a look takes a little from the training
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

    /// <returns>Null when the job gave the same as the undisturbed one; else both.</returns>
    public async Task<string?> DifferenceAsync(Guid id, int spec, CarefulClient client)
    {
        var outcome = await OfAsync(id, client);
        return JsonNode.DeepEquals(outcome, undisturbed[spec])
            ? null
            : $"spec {spec}\n  undisturbed {undisturbed[spec].ToJsonString()}\n  in chaos    {outcome.ToJsonString()}";
    }

    /// <summary>The result and the metrics of every epoch, without what tells of time.</summary>
    private static async Task<JsonNode> OfAsync(Guid id, CarefulClient client)
    {
        var metrics = (await client.GetAsync($"/jobs/{id}/metrics"))["items"]!.AsArray();
        foreach (var epoch in metrics)
        foreach (var field in new[] { "seconds", "imagesPerSecond" })
            epoch!.AsObject().Remove(field);
        return new JsonObject
        {
            ["result"] = (await client.GetAsync($"/jobs/{id}"))["result"]?.DeepClone(),
            ["metrics"] = metrics.DeepClone(),
        };
    }
}
