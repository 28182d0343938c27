namespace Temper.Bench;

internal sealed record Drained(double Seconds, Cost Cost);

/// <summary>Spent on a drain, from before the workers start until after the last end.</summary>
internal sealed record Cost(double WalBytes, double ServerCpuSeconds, double WorkersCpuSeconds)
{
    public static Cost operator -(Cost after, Cost before) =>
        new(after.WalBytes - before.WalBytes, after.ServerCpuSeconds - before.ServerCpuSeconds, after.WorkersCpuSeconds - before.WorkersCpuSeconds);
}

/// <summary>The queue as a control plane, beside two others on the same PostgreSQL: jobs per second, and how soon an idle worker starts a job.</summary>
internal static class QueueRates
{
    /// <param name="Jobs">To drain, for that many workers.</param>
    private sealed record Contender(
        string Name, Func<int, int> Jobs, Func<int, int, Task<Drained>> DrainAsync, Func<int, int, Task<double[]>>? StartAsync);

    private static readonly int[] WorkerCounts = [1, 4, 16];

    /// <summary>A round of one contender with one number of workers.</summary>
    private sealed record Round(int Jobs, Drained Drained)
    {
        public double JobsPerSecond => Jobs / Drained.Seconds;
    }

    public enum What { Everything, Drains, Starts }

    public static async Task RunAsync(bool quick, What what)
    {
        var (rounds, jobs, startRounds, starts) = quick ? (2, 300, 1, 20) : (7, 2000, 3, 40);
        Contender[] contenders =
        [
            new("Temper", _ => jobs, TemperQueue.DrainAsync, TemperQueue.StartAsync),
            Node("graphile-worker", "plain", "", _ => jobs, hasStarts: true),
            Node("graphile-worker-awaited", "awaited", "", _ => jobs, hasStarts: false),
            Node("graphile-worker", "batched", ", batching", _ => jobs, hasStarts: false),
            Node("pg-boss", "woken", ", woken", _ => jobs, hasStarts: true),
            // At two jobs a second per worker the rest would take a quarter of an hour.
            Node("pg-boss", "polling", ", polling", workers => 10 * workers, hasStarts: true),
        ];

        Console.WriteLine($"# The queue beside graphile-worker and pg-boss\n\n{Machine.Describe()}, Node {await NodeQueue.NodeVersionAsync()}, {await ServerAsync()}\n");
        Console.WriteLine(Conditions(jobs, rounds));

        if (what is What.Everything or What.Drains) await DrainAsync(contenders, rounds);
        if (what is What.Everything or What.Starts) await StartAsync(contenders, startRounds, starts);
    }

    private static async Task DrainAsync(Contender[] contenders, int rounds)
    {
        var drains = contenders.ToDictionary(contender => contender, _ => WorkerCounts.ToDictionary(count => count, _ => new List<Round>()));
        foreach (var workers in WorkerCounts)
            for (var round = 0; round < rounds; round++)
                foreach (var contender in contenders)
                {
                    var count = contender.Jobs(workers);
                    drains[contender][workers].Add(new(count, await contender.DrainAsync(workers, count)));
                }
        PrintRates(drains);
        PrintCosts(drains);
    }

    private static async Task StartAsync(Contender[] contenders, int rounds, int starts)
    {
        var waits = contenders.Where(contender => contender.StartAsync is not null).ToDictionary(contender => contender, _ => WorkerCounts.ToDictionary(count => count, _ => new List<double>()));
        for (var round = 0; round < rounds; round++)
            foreach (var workers in WorkerCounts)
                foreach (var (contender, lists) in waits)
                    lists[workers].AddRange(await contender.StartAsync!(workers, starts));
        PrintWaits(waits);
    }

    private static Contender Node(string package, string setting, string note, Func<int, int> jobs, bool hasStarts) => new(
        NodeQueue.Describe(package) + note, jobs,
        (workers, count) => NodeQueue.DrainAsync(package, setting, workers, count),
        hasStarts ? (workers, count) => NodeQueue.StartAsync(package, setting, workers, count) : null);

    /// <exception cref="InvalidOperationException">A commit would not wait for the disk.</exception>
    private static async Task<string> ServerAsync()
    {
        await using var database = await TestDatabase.CreateEmptyAsync();
        async Task<string> Of(string setting) => await database.ScalarAsync<string>($"SELECT current_setting('{setting}')");
        foreach (var setting in new[] { "fsync", "synchronous_commit", "full_page_writes" })
            if (await Of(setting) != "on") throw new InvalidOperationException($"{setting} must be on, not {await Of(setting)}.");
        return $"PostgreSQL {await Of("server_version")} as installed: fsync, synchronous_commit and full_page_writes on (asked of the server, and by each Node program on its own connection), wal_sync_method {await Of("wal_sync_method")}, shared_buffers {await Of("shared_buffers")}";
    }

    private static string Conditions(int jobs, int rounds) =>
        $"""
        Training is replaced by nothing: these are the costs of queueing, not of jobs. One PostgreSQL for all, on the same machine
        as the workers; contenders in turn, {rounds} rounds; in each a fresh database, a warm-up with up to 300 jobs, {jobs} queued
        jobs with the same payload (a job's spec, {TemperQueue.Payload.Length} bytes of JSON), VACUUM ANALYZE of the jobs' table, and then workers that drain it. Timed from
        the start of the first job to the moment the end of the last one is committed. Versions of the others are the newest
        that run on Node 20, except where said.

        - Temper: that many workers of one slot in one process. A slot's loop is replaced by claim, success with a result and a
          model of 64 bytes, and the same waiting: no runner, and none of the reports that a training makes. Statements,
          doorbell, heartbeat each second, presence connection and its watching are those of production.
        - graphile-worker: `concurrency` workers in one process, a task that returns at once, no local queue, no batched
          completions. Since 0.17 a worker asks for its next job while the end of the last is still being stored; 0.16.6, whose
          workers wait for it as Temper's do, is measured as well. "Batching" is `localQueue.size` 500, `completeJobBatchDelay` 0.
        - pg-boss: that many `work()` registrations, `batchSize` 1, `pollingIntervalSeconds` 0.5, the least it takes, evenly
          staggered; polling, 10 jobs per worker. "Woken": handler and submitter call `notifyWorker`, which works only inside one process.
          It too fetches a job while the end of the last job is being stored.

        """;

    private static void PrintRates(Dictionary<Contender, Dictionary<int, List<Round>>> drains)
    {
        PrintHead("jobs/s, median (lowest–highest)");
        foreach (var (contender, rounds) in drains)
            Console.WriteLine($"| {contender.Name} |{Cells(count => rounds[count].Select(round => round.JobsPerSecond).Spread("F0"))}");

        var temper = drains.First().Value;
        PrintHead("Temper ÷ it, round by round, median (lowest–highest)");
        foreach (var (contender, rounds) in drains.Skip(1))
            Console.WriteLine($"| {contender.Name} |{Cells(count => temper[count].Zip(rounds[count], (a, b) => a.JobsPerSecond / b.JobsPerSecond).Spread("F2"))}");
    }

    private static void PrintCosts(Dictionary<Contender, Dictionary<int, List<Round>>> drains)
    {
        PrintHead("a job's processor time, µs, PostgreSQL + workers; WAL, bytes; medians");
        foreach (var (contender, rounds) in drains)
            Console.WriteLine($"| {contender.Name} |{Cells(count =>
            {
                double Of(Func<Cost, double> part) => rounds[count].Select(round => part(round.Drained.Cost) / round.Jobs).Median();
                return $"{1e6 * Of(cost => cost.ServerCpuSeconds):F0} + {1e6 * Of(cost => cost.WorkersCpuSeconds):F0}; {Of(cost => cost.WalBytes):F0}";
            })}");
    }

    private static void PrintHead(string what) =>
        Console.WriteLine($"\n| {what} |{Cells(count => $"{count} worker{(count == 1 ? "" : "s")}")}\n|---|{Cells(_ => "---").Replace(" ", "")}");

    private static string Cells(Func<int, string> cell) => string.Concat(WorkerCounts.Select(count => $" {cell(count)} |"));

    private static void PrintWaits(Dictionary<Contender, Dictionary<int, List<double>>> waits)
    {
        Console.WriteLine($"\n{waits.First().Value[1].Count} jobs each, one at a time at random times, idle workers in the submitter's process; from the answer to COMMIT to the start of the handler.");
        PrintHead("ms, median / p99 (largest)");
        foreach (var (contender, lists) in waits)
            Console.WriteLine($"| {contender.Name} |{Cells(count => $"{lists[count].Median():F1} / {lists[count].Quantile(0.99):F1} ({lists[count].Max():F1})")}");
    }
}
