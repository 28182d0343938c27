using System.Globalization;
using Temper.Domain.Jobs;
using Temper.Store.Queue;

namespace Temper.Harness.Model;

/// <summary>
/// Plays lines such as `claim 1` or `report A#2 1,2 checkpoint 4` on a stage. Jobs are letters, workers are digits, and A#2 is
/// attempt 2 of job A. Answers are text too, so that a reader as well as a test can compare two stages.
/// </summary>
public sealed class Script(IStage stage, IReadOnlyList<WorkerIdentity> workers)
{
    private readonly Dictionary<char, Guid> jobs = [];
    private Dictionary<Guid, WorkerSighting> sightings = [];

    /// <summary>Workers 1 to 3.</summary>
    public static WorkerIdentity[] NewWorkers() => [.. Enumerable.Range(1, 3).Select(_ => WorkerIdentity.Create("cpu", 1))];

    public Guid? IdOf(char job) => jobs.TryGetValue(job, out var id) ? id : null;

    public async Task<string> PlayAsync(string line)
    {
        var words = line.Split(' ', StringSplitOptions.RemoveEmptyEntries);
        return words[0] switch
        {
            "submit" => await SubmitAsync(words[1][0], words),
            "pass" => await PassAsync(TimeSpan.FromSeconds(double.Parse(words[1], CultureInfo.InvariantCulture))),
            "forget" => await ForgetAsync(),
            "row" => Describe(words[1][0], await stage.ShapesAsync()),
            "claim" or "beat" or "watch" or "lock" or "unlock" or "rescue" or "leave" or "drain" or "undrain" => await PlayForWorkerAsync(
                words,
                workers[words[1][0] - '1']
            ),
            "cancel" or "pause" or "resume" or "retry" or "delete" => Answer(
                await stage.CommandAsync(Enum.Parse<JobVerb>(words[0], ignoreCase: true), jobs[words[1][0]], words.Contains("fresh"))
            ),
            "checkpoint" => await stage.ReadCheckpointAsync(jobs[words[1][0]]) is { } checkpoint ? checkpoint.ToString() : "none",
            _ => Answer(await WriteAsync(words, Attempt(words[1]))),
        };
    }

    /// <summary>The state of every job, one line each.</summary>
    public async Task<string> RowsAsync()
    {
        var shapes = await stage.ShapesAsync();
        return string.Join('\n', jobs.Keys.Order().Select(job => Describe(job, shapes)));
    }

    private async Task<string> SubmitAsync(char job, string[] words)
    {
        jobs[job] = await stage.SubmitAsync(
            Number(words, "max") ?? 3,
            Number(words, "priority") ?? 0,
            words.Contains("cuda"),
            Number(words, "revision") ?? 1
        );
        return "stored";
    }

    private async Task<string> PassAsync(TimeSpan time)
    {
        sightings = (await stage.PassAsync(time, sightings.Values)).ToDictionary(sighting => sighting.Worker);
        return "later";
    }

    private async Task<string> ForgetAsync()
    {
        await stage.ForgetDeadWorkersAsync();
        return List((await stage.WorkersAsync()).Select(worker => Digit(worker).ToString()));
    }

    private async Task<string> PlayForWorkerAsync(string[] words, WorkerIdentity worker)
    {
        switch (words[0])
        {
            case "claim":
                return await stage.ClaimAsync(worker, words.Contains("cuda"), Number(words, "knows") ?? 1) is { } claimed
                    ? Name(claimed)
                    : "nothing";
            case "beat":
                var held = await stage.HeartbeatAsync(worker, [.. words.Skip(2).Select(Attempt)]);
                return List(
                    held.Select(own => own.Value is { } stop ? $"{Name(own.Key)} {stop.ToString().ToLowerInvariant()}" : Name(own.Key))
                );
            case "watch":
                sightings = (await stage.WatchAsync(worker)).ToDictionary(sighting => sighting.Worker);
                return List(sightings.Values.Select(seen => $"{Digit(seen.Worker)} {(seen.Present ? "present" : "absent")}"));
            case "rescue":
                return sightings.TryGetValue(worker.Id, out var seen)
                    ? List((await stage.RescueAsync(seen, "its worker died")).Select(id => Letter(id).ToString()))
                    : "unseen";
            case "drain" or "undrain":
                return Answer(await stage.DrainAsync(worker, words[0] == "drain"));
            case "leave":
                await stage.LeaveAsync(worker);
                return "left";
            default:
                await stage.SetPresenceAsync(worker, words[0] == "lock");
                return "done";
        }
    }

    private Task<bool> WriteAsync(string[] words, (Guid Id, int Attempt) job) =>
        words[0] switch
        {
            "start" => stage.ReportTrainingStartedAsync(job.Id, job.Attempt),
            "report" => stage.ReportAsync(
                job.Id,
                job.Attempt,
                words.Length > 2 && char.IsDigit(words[2][0]) ? [.. words[2].Split(',').Select(int.Parse)] : [],
                Number(words, "checkpoint")
            ),
            "succeed" => stage.SucceedAsync(job.Id, job.Attempt),
            "fail" => stage.FailAsync(job.Id, job.Attempt, "it diverged"),
            "giveback" => stage.GiveBackAsync(job.Id, job.Attempt, "it crashed"),
            "handback" => stage.HandBackAsync(job.Id, job.Attempt, "its worker shut down"),
            _ => throw new FormatException($"A script has no '{words[0]}'."),
        };

    private string Describe(char job, IReadOnlyDictionary<Guid, JobShape> shapes)
    {
        if (!jobs.TryGetValue(job, out var id) || !shapes.TryGetValue(id, out var shape))
            return "none";
        var words = new List<string>
        {
            shape.State.ToString().ToLowerInvariant() + (shape.State == JobState.Queued && !shape.IsClaimable ? " later" : ""),
            $"{job}#{shape.Attempt}",
        };
        if (shape.Owner is { } owner)
            words.Add($"of {Digit(owner)}");
        if (shape.StopRequested is { } stop)
            words.Add($"to {stop.ToString().ToLowerInvariant()}");
        if (shape.IsTraining)
            words.Add("training");
        if (shape.IsFinished != shape.State.IsFinal())
            words.Add("finished_at contradicts");
        if (shape.Failures > 0)
            words.Add($"failures {shape.Failures}");
        if (shape.Epochs is not null)
            words.Add($"epochs {shape.Epochs}");
        if (shape.Checkpoint is { } checkpoint)
            words.Add($"checkpoint {checkpoint}");
        if (shape.Attempts is not null)
            words.Add($"attempts {shape.Attempts}");
        if (shape.Reason is not null)
            words.Add($"({shape.Reason})");
        return string.Join("; ", words);
    }

    private (Guid Id, int Attempt) Attempt(string word) => (jobs[word[0]], int.Parse(word[2..]));

    private string Name((Guid Id, int Attempt) job) => $"{Letter(job.Id)}#{job.Attempt}";

    private char Letter(Guid id) => jobs.Single(job => job.Value == id).Key;

    private char Digit(Guid id) => (char)('1' + workers.TakeWhile(worker => worker.Id != id).Count());

    private static string Answer(bool effect) => effect ? "yes" : "no";

    /// <summary>Joins the words in sorted order, so that their original order does not matter.</summary>
    private static string List(IEnumerable<string> words) => string.Join(", ", words.Order()) is { Length: > 0 } list ? list : "nothing";

    private static int? Number(string[] words, string name) =>
        Array.IndexOf(words, name) is >= 0 and var place ? int.Parse(words[place + 1]) : null;
}
