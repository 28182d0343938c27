using Temper.Domain;
using Temper.Domain.Jobs;

namespace Temper.Harness.Model;

/// <summary>
/// Makes a random script line by line from a seed and the state of the twin, and records which states each operation met.
/// </summary>
public sealed class RandomScript(long seed, TwinStage twin, Script script)
{
    private const string Jobs = "ABC",
        Workers = "123";

    private static readonly string[] Writes = ["start", "report", "succeed", "fail", "giveback", "giveback", "handback"];
    private static readonly string[] Verbs = ["cancel", "pause", "resume", "retry", "retry fresh", "delete"];
    private static readonly string[] OfWorkers = ["claim", "beat", "watch", "rescue", "leave", "forget", "drain", "undrain"];

    private readonly SplitMix64 random = new(seed, 7);

    /// <summary>Every pair of an operation and a state of a job that it can meet.</summary>
    public static IEnumerable<string> AllPairs { get; } =
    [
        .. from state in States from write in Writes.Distinct() select $"{write} on {state}",
        .. from state in States where state.StartsWith("running") from write in Writes.Distinct() select $"stale {write} on {state}",
        .. from state in States from other in Verbs.Append("checkpoint") select $"{other} on {state}",
        .. from state in States where state != "none" from other in OfWorkers select $"{other} on {state}",
    ];

    /// <summary>The pairs of <see cref="AllPairs"/> that were played.</summary>
    public HashSet<string> Met { get; } = [];

    private static IEnumerable<string> States =>
        [
            "none",
            "queued",
            "queued later",
            "running",
            "running to cancel",
            "running to pause",
            "paused",
            "succeeded",
            "failed",
            "cancelled",
        ];

    public string NextLine()
    {
        if (Jobs.FirstOrDefault(job => script.IdOf(job) is null) is var unborn and not '\0')
            return Submit(unborn);
        return random.NextInt32(24) switch
        {
            0 => $"pass {Pick([3, 11, 11, 70, 4000])}",
            1 or 2 when Jobs.FirstOrDefault(job => StateOf(job) == "none") is var gone and not '\0' => Submit(gone),
            3 or 4 or 5 or 6 => OfWorker("claim")
                + (random.NextInt32(2) == 0 ? " cuda" : "")
                + (random.NextInt32(2) == 0 ? " knows 2" : ""),
            7 or 8 => OfWorker("beat") + Known(),
            9 or 10 => OfWorker("watch"),
            11 or 12 => OfWorker("rescue"),
            13 => random.NextInt32(5) switch
            {
                0 => OfWorker("leave"),
                1 => Note("forget"),
                2 => OfWorker("drain"),
                3 => OfWorker("undrain"),
                _ => $"{Pick(["lock", "unlock"])} {Pick(Workers)}",
            },
            14 => OfJob("checkpoint"),
            15 or 16 => OfJob(Pick(["cancel", "pause"])),
            < 19 => OfJob(Pick(Verbs)),
            _ => Write(),
        };
    }

    private string Submit(char job) =>
        $"submit {job} max {1 + random.NextInt32(4)} priority {random.NextInt32(2)}{(random.NextInt32(4) == 0 ? " cuda" : "")}"
        + (random.NextInt32(4) == 0 ? " revision 2" : "");

    private string OfWorker(string operation) => Note(operation) + $" {Pick(Workers)}";

    /// <summary>Records the operation with the state of every job, because the operation may reach any of them.</summary>
    private string Note(string operation)
    {
        foreach (var job in Jobs)
            if (StateOf(job) is var state and not "none")
                Met.Add($"{operation} on {state}");
        return operation;
    }

    /// <summary>Draws about two thirds of the jobs that have an attempt, whichever worker owns them.</summary>
    private string Known() =>
        string.Concat(
            Jobs.Where(_ => random.NextInt32(3) > 0)
                .Select(RowOf)
                .Where(job => job.Row is { Attempt: > 0 })
                .Select(job => $" {job.Letter}#{job.Row!.Attempt}")
        );

    private string OfJob(string operation)
    {
        var job = Pick(Jobs);
        Met.Add($"{operation} on {StateOf(job)}");
        return operation.Split(' ') is [var verb, var how] ? $"{verb} {job} {how}" : $"{operation} {job}";
    }

    private string Write()
    {
        var job =
            random.NextInt32(2) == 0 && Jobs.FirstOrDefault(job => StateOf(job).StartsWith("running")) is var running and not '\0'
                ? running
                : Pick(Jobs);
        var write = Pick(Writes);
        var attempt = RowOf(job).Row?.Attempt ?? 1;
        var stale = random.NextInt32(5) == 0;
        Met.Add($"{(stale ? "stale " : "")}{write} on {StateOf(job)}");
        if (stale)
            attempt += random.NextInt32(2) == 0 ? -1 : 1;
        return $"{write} {job}#{attempt}" + (write == "report" ? Report() : "");
    }

    private string Report() =>
        $"{Pick(["", " 1", " 2", " 1,2", " 2,3"])}{(random.NextInt32(2) == 0 ? $" checkpoint {random.NextInt32(9)}" : "")}";

    private (char Letter, TwinJob? Row) RowOf(char job) => (job, script.IdOf(job) is { } id ? twin.Queue.Find(id) : null);

    private string StateOf(char job) =>
        RowOf(job).Row switch
        {
            null => "none",
            { State: JobState.Queued } row when twin.Backoff(row.Id) > TimeSpan.Zero => "queued later",
            { StopRequested: { } stop } => $"running to {stop.ToString().ToLowerInvariant()}",
            var row => row.State.ToString().ToLowerInvariant(),
        };

    private T Pick<T>(T[] from) => from[random.NextInt32(from.Length)];

    private char Pick(string from) => from[random.NextInt32(from.Length)];
}
