using System.Text.Json.Nodes;
using Spectre.Console.Rendering;
using Temper.Cli.Http;
using Temper.Cli.Output;
using Temper.Domain.Jobs;

namespace Temper.Cli.Jobs;

/// <summary>What is known of a job that is watched.</summary>
internal sealed class JobWatch : IWatched
{
    /// <summary>Epochs of the live view, which must fit a terminal.</summary>
    private const int LiveEpochs = 12;

    private readonly SortedDictionary<int, EpochMetrics> epochs = [];
    private TrainingProgress? progress;
    private string state = "";
    private string? reason;

    /// <summary>Watches a job until it has ended, and shows what came of it.</summary>
    public static async Task<int> RunAsync(Service service, Guid id, bool json, CancellationToken cancellation)
    {
        var watch = new JobWatch();
        await Watching.UntilTheEndAsync(
            watch,
            new Changes(service, $"jobs/{id}"),
            json,
            $"Job {id} goes on. temper watch {id} shows it again, temper cancel {id} ends it.",
            cancellation
        );
        var job = await service.GetAsync($"jobs/{id}", cancellation);
        if (json)
            Terminal.WriteJson(job);
        else
            watch.ShowEnd(job);
        return job["state"]!.GetValue<string>() == "succeeded" ? ExitCodes.Done : ExitCodes.JobNotSucceeded;
    }

    public void Take(Change change)
    {
        switch (change.Type)
        {
            case "epoch":
                var epoch = EpochTable.Read(change.Data);
                epochs[epoch.Epoch] = epoch;
                break;
            case "progress":
                progress = Domain.Serialization.Json.Read<TrainingProgress>(change.Data.ToJsonString());
                break;
            case "state":
                (state, reason) = (change.Data["state"]!.GetValue<string>(), change.Data["reason"]?.GetValue<string>());
                break;
        }
    }

    public string Line =>
        state == "running" && progress is { } now
            ? FormattableString.Invariant($"epoch {now.Epoch}/{now.Epochs}   step {now.Step}/{now.Steps}   ")
                + FormattableString.Invariant($"{now.ImagesPerSecond:0} images/s   {Math.Ceiling(now.SecondsLeft):0} s left")
            : $"{state}{(reason is null ? "" : $": {reason}")}";

    public double Share =>
        state == "succeeded" ? 1
        : progress is { Steps: > 0 } now ? (now.Epoch - 1 + (double)now.Step / now.Steps) / now.Epochs
        : 0;

    public IRenderable? Table => epochs.Count == 0 ? null : EpochTable.Of(epochs.Values.TakeLast(LiveEpochs));

    private void ShowEnd(JsonNode job)
    {
        if (epochs.Count > 0)
            Terminal.Out.Write(EpochTable.Of(epochs.Values));
        if (job["result"] is { } result)
        {
            var gap = result["testSignedGap"]?.GetValue<double>() ?? double.NaN;
            var confidence =
                !double.IsFinite(gap) ? "unknown"
                : Terminal.Figure(Math.Abs(gap)) is var size && size == Terminal.Figure(0) ? "equal to accuracy"
                : $"{size} {(gap > 0 ? "above" : "below")} accuracy";
            var last = $"{result["trainedEpochs"]}";
            var epoch = $"{result["keptEpoch"] ?? last}"; // an API of an older build gives none
            var kept = epoch == last ? "" : $" of epoch {epoch}";
            Terminal.WriteLine($"test{kept}: accuracy {Figure("testAccuracy")}, ECE {Figure("testEce")}, mean confidence {confidence}");
            foreach (var note in result["notes"]?.AsArray() ?? [])
                Terminal.Note(Terminal.Plain(note));

            string Figure(string name) => Terminal.Figure(result[name]?.GetValue<double>());
        }
        else
            Terminal.WriteLine($"The job has {job["state"]}: {Terminal.Plain(job["reason"])}");
    }
}
