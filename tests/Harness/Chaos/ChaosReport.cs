using Temper.Harness.Fuzz;

namespace Temper.Harness.Chaos;

/// <summary>The results of a run, as counts and as Markdown.</summary>
public sealed record ChaosReport(int Delivered, int Jobs, string Markdown, IReadOnlyList<(Rule Rule, string What)> Violations)
{
    internal static async Task<ChaosReport> OfAsync(
        ChaosOptions options,
        ChaosPlan plan,
        FaultSchedule schedule,
        Submissions submissions,
        Outcomes outcomes,
        RouteFuzzer fuzzer,
        ChaosStage stage,
        CarefulClient client,
        Violations violations
    )
    {
        var delivered = plan.Faults.Except(schedule.Missed).ToArray();
        var drainSeconds =
            await stage.Database.CountAsync(
                "SELECT extract(epoch FROM max(finished_at))::bigint FROM jobs WHERE idempotency_key LIKE 'chaos-%'"
            ) - schedule.Came.Last.ToUnixTimeSeconds();
        var text = new StringWriter();
        text.WriteLine(
            $"Seed {options.Seed}: {delivered.Length} faults in {(schedule.Came.Last - schedule.Came.First).TotalSeconds:F0} s, "
                + $"{options.Workers} workers of one slot and one thread, lease 5 s, checkpoints each second; "
                + $"{submissions.Acknowledged.Count} jobs, each one of {plan.Specs.Count} specs that train {outcomes.Seconds.Min():F1} to "
                + $"{outcomes.Seconds.Max():F1} s undisturbed. The last job was over {drainSeconds} s after the last fault came. The seed "
                + "repeats the schedule of faults and jobs, not what the processes are doing when a fault comes.\n"
        );
        Table(
            text,
            "fault",
            "times",
            Enum.GetValues<FaultKind>().Select(kind => (Words(kind), (long)delivered.Count(fault => fault.Kind == kind)))
        );
        if (schedule.Missed.Count > 0)
            text.WriteLine($"{schedule.Missed.Count} more came when there was nothing to hit.\n");

        Table(
            text,
            "attempts a job took",
            "jobs",
            await CountsAsync(
                "SELECT attempt::text, count(*)::text FROM jobs WHERE idempotency_key LIKE 'chaos-%' GROUP BY attempt ORDER BY attempt"
            )
        );
        // The reason of a rescue may name a number of seconds, and the reason of a crash may quote the runner.
        Table(
            text,
            "why an attempt ended early",
            "times",
            await CountsAsync(
                """
                SELECT regexp_replace(left(split_part(chaos_states.reason, E'\n', 1), 60), '[|]', ' ', 'g') AS why, count(*)::text
                FROM chaos_states JOIN jobs ON id = job WHERE idempotency_key LIKE 'chaos-%' AND chaos_states.state = 'queued' AND
                    chaos_states.attempt > 0
                GROUP BY why ORDER BY count(*) DESC
                """
            )
        );

        text.WriteLine("| also counted | times |\n|---|---|");
        text.WriteLine($"| workers started | {stage.Seats.Sum(seat => seat.WorkersStarted)} |");
        text.WriteLine(
            $"| stale reports refused: the job was no longer the writer's | {stage.Seats.Sum(seat => seat.StaleWritesRefused)} |"
        );
        text.WriteLine(
            $"| epochs stored, those trained again counted again | {await stage.Database.CountAsync("SELECT count(*) FROM chaos_epochs")} |"
        );
        text.WriteLine($"| requests that the submitter had to send again | {client.Retries} |\n");

        fuzzer.Describe(text);

        Table(text, "rule", "violations", Enum.GetValues<Rule>().Select(rule => (Words(rule), (long)violations.Count(rule))));
        return new(delivered.Length, submissions.Acknowledged.Count, text.ToString(), [.. violations.Found]);

        async Task<IEnumerable<(string, long)>> CountsAsync(string sql) =>
            (await stage.Database.RowsAsync(sql)).Select(row =>
                (row[..row.LastIndexOf(' ')], long.Parse(row[(row.LastIndexOf(' ') + 1)..]))
            );
    }

    private static void Table(TextWriter text, string what, string count, IEnumerable<(string What, long Count)> rows)
    {
        text.WriteLine($"| {what} | {count} |\n|---|---|");
        foreach (var row in rows)
            text.WriteLine($"| {row.What} | {row.Count} |");
        text.WriteLine();
    }

    /// <summary>WorkerKilled → worker killed.</summary>
    private static string Words<T>(T name)
        where T : struct, Enum =>
        string.Concat(name.ToString().Select((c, i) => char.IsUpper(c) ? (i == 0 ? "" : " ") + char.ToLowerInvariant(c) : c.ToString()));
}
