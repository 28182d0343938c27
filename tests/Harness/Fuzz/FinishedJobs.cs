using System.Net.Http.Json;
using System.Text.Json.Nodes;
using Temper.Domain;
using Temper.Domain.Calibration;
using Temper.Domain.Datasets;
using Temper.Domain.Jobs;
using Temper.Store.Queue;

namespace Temper.Harness.Fuzz;

/// <summary>
/// Makes a job that succeeded, a repetition of it, and a study whose jobs succeeded, with everything that a worker stores: metrics,
/// weights, logits, figures, and the figures on corrupted images. It does the work of a worker, so no other job may be queued.
/// </summary>
internal sealed class FinishedJobs(TestDatabase database, HttpClient http, string key)
{
    private const int Classes = 10,
        Images = 60,
        Side = 28;

    private static readonly SplitScores Split = new(0.9, 0.3, 0.1, 0.05, 0.05, 0.02, 0.3, 0.05);

    private static readonly EpochMetrics Metrics = new(1, 0.7, 0.9, 0.2, 0.95, 0.05, -0.03, 0.001, 1.5, 2400);

    private static readonly JobResult Result = new(0.9, 0.3, 0.05, -0.09, 1, "cpu", 2, "libtorch", "aa", [], "dd", "bb");

    private static readonly TrainedModel Model = new(
        ModelFile.Mlp(1, Side),
        StoredLogits.Of(Draw(1), Draw(2), null),
        new(1.5, Split, Split)
    )
    {
        Corruptions = [.. Corruption.All.Select(one => new CorruptionScores(one, Split))],
    };

    private readonly JobQueue queue = new(database.DataSource);
    private readonly WorkerIdentity worker = WorkerIdentity.Create("cpu", 1);

    /// <param name="name">Of the job and the study.</param>
    public async Task<(Guid Study, Guid[] Jobs)> MakeAsync(string name)
    {
        const string fields = """
            "dataset":"digits","model":"mlp","epochs":1,"corruptions":true
            """;
        var job = await PostAsync("/jobs", $$"""{"name":"{{name}}","epsilon":0.1,{{fields}}}""");
        await FinishAsync();
        var repetition = await PostAsync($"/jobs/{job}/reproduce", null);
        await FinishAsync();
        var study = await PostAsync("/studies", $$"""{"name":"{{name}}","job":{{{fields}}},"epsilons":[0,0.1],"seeds":1}""");
        return (study, [job, repetition, await FinishAsync(), await FinishAsync()]);
    }

    private async Task<Guid> PostAsync(string path, string? json)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, path)
        {
            Headers = { Authorization = new("Bearer", key) },
            Content = json is null ? null : JsonContent.Create(JsonNode.Parse(json)),
        };
        using var response = await http.SendAsync(request);
        var text = await response.Content.ReadAsStringAsync();
        return response.IsSuccessStatusCode
            ? Guid.Parse($"{JsonNode.Parse(text)!["id"]}")
            : throw new InvalidOperationException($"{path}: {response.StatusCode} {text}");
    }

    private async Task<Guid> FinishAsync()
    {
        await queue.HeartbeatAsync(worker, [], null, default);
        var job = await queue.ClaimAsync(worker.Id, hasCuda: false, default) ?? throw new InvalidOperationException("No job is queued.");
        await queue.ReportAsync(job, [Metrics], null, default);
        if (!await queue.SucceedAsync(job, Result, Model, default))
            throw new InvalidOperationException($"Another worker has job {job.Id}.");
        return job.Id;
    }

    /// <summary>Logits that are largest at the label for most images.</summary>
    private static LabelledLogits Draw(long seed)
    {
        var random = new SplitMix64(seed, 1);
        var labels = Enumerable.Range(0, Images).Select(i => i % Classes).ToArray();
        var logits = labels.SelectMany(label =>
            Enumerable.Range(0, Classes).Select(k => (float)random.NextDouble(-2, 2) + (k == label ? 2 : 0))
        );
        return new([.. logits], labels, Classes);
    }
}
