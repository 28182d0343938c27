using Npgsql;

namespace Temper.Bench;

/// <summary>
/// Measures what each kind of fault costs a job, in time and in attempts, and how soon Hangfire's tables show it.
/// </summary>
internal static class Faults
{
    public static readonly string[] Parts = ["waiting", "windows", "outages", "restarts", "stalls"];

    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(60);

    /// <param name="only">One of <see cref="Parts"/>; all of them when null.</param>
    public static async Task RunAsync(bool quick, string? only)
    {
        Console.WriteLine($"# What a fault costs\n\n{Machine.Describe()}\n");
        Console.WriteLine("All processes on this machine; a worker has one slot and one thread.");
        var home = Directory.CreateTempSubdirectory("temper-bench-").FullName;
        foreach (var part in Parts.Where(part => only is null || only == part))
            await (
                part switch
                {
                    "waiting" => WaitingAsync(home, quick ? 3 : 50),
                    "windows" => WindowsAsync(home, quick ? 2 : 20),
                    "outages" => OutagesAsync(home, quick ? 1 : 4, TimeSpan.FromSeconds(quick ? 10 : 60)),
                    "restarts" => RestartsAsync(home, quick ? 1 : 10),
                    _ => StallsAsync(home, quick ? 1 : 10),
                }
            );
        Directory.Delete(home, recursive: true);
    }

    private static async Task WaitingAsync(string home, int deaths)
    {
        await using var database = await TestDatabase.CreateAsync();
        await using var fleet = await Fleet.StartAsync(database.ConnectionString, home, workers: 2);
        var (random, elsewhere, told) = (new Random(1), new List<double>(), new List<double>());
        for (var i = 0; i < deaths; i++)
        {
            await fleet.WarmUpAsync();
            var id = await fleet.SubmitAndAwaitTrainingAsync(Fleet.LongJob);
            while (await database.ScalarAsync<long>("SELECT count(*) FROM jobs WHERE state = 'queued'") < 200)
                await fleet.Api.SubmitAsync(Fleet.ShortJob);
            await Task.Delay(random.Next(1000)); // so that the kill hits any phase of heartbeats and watches
            var killed = await fleet.KillAsync(await fleet.OwnerAsync(id));
            elsewhere.Add((await fleet.ClaimedAgainAsync(id) - killed).TotalSeconds);
            told.Add((await ToldAsync(database, id) - killed).TotalSeconds);
            await fleet.CancelAsync(id);
            await fleet.AddWorkerAsync();
        }
        Heading("kill -9 of a worker, 200 jobs waiting", $"{deaths} deaths, one other worker, which trains short jobs.");
        Row("kill → claimed elsewhere", elsewhere);
        Row("kill → Hangfire says lost", told);
    }

    private static async Task WindowsAsync(string home, int deaths)
    {
        await WindowAsync(home, deaths, "hangfire.job", "claimed, no job of Hangfire's yet");
        await WindowAsync(home, deaths, "hangfire.state", "Hangfire's job made, not enqueued");
    }

    /// <summary>Kills the worker after its claim, while its next statement on that table of Hangfire waits for a lock.</summary>
    private static async Task WindowAsync(string home, int deaths, string table, string window)
    {
        await using var database = await TestDatabase.CreateAsync();
        await using var fleet = await Fleet.StartAsync(database.ConnectionString, home, workers: 2);
        var elsewhere = new List<double>();
        for (var i = 0; i < deaths; i++)
        {
            var (id, killed) = await KilledWhileLockedAsync(database, fleet, table);
            elsewhere.Add((await fleet.ClaimedAgainAsync(id) - killed).TotalSeconds);
            await fleet.CancelAsync(id);
            await fleet.AddWorkerAsync();
        }
        Heading($"kill -9 between claim and start: {window}", $"{deaths} deaths, one other worker idle.");
        Row("kill → claimed elsewhere", elsewhere);
    }

    private static async Task<(Guid Job, DateTimeOffset Killed)> KilledWhileLockedAsync(TestDatabase database, Fleet fleet, string table)
    {
        await using var connection = await database.DataSource.OpenConnectionAsync();
        await using var transaction = await connection.BeginTransactionAsync();
        await using var hold = new NpgsqlCommand($"LOCK TABLE {table} IN EXCLUSIVE MODE", connection, transaction);
        await hold.ExecuteNonQueryAsync();
        var id = await fleet.Api.SubmitAsync(Fleet.LongJob);
        await Eventually.TrueAsync(async () => (await fleet.Api.JobAsync(id))["attempt"]!.GetValue<int>() == 1);
        var waits = $"SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = '{table}'::regclass";
        await Eventually.TrueAsync(async () => await database.ScalarAsync<long>(waits) > 0);
        return (id, await fleet.KillAsync(await fleet.OwnerAsync(id)));
    }

    private static async Task OutagesAsync(string home, int outages, TimeSpan length)
    {
        await using var database = await TestDatabase.CreateAsync();
        await using var fleet = await Fleet.StartAsync(database.ConnectionString, home);
        using var proxy = new TcpProxy(database.ConnectionString);
        for (var i = 0; i < 3; i++)
            await fleet.AddWorkerAsync(proxy.ConnectionString);
        await fleet.WarmUpAsync();
        var (claimed, started, attempts) = (new List<double>(), new List<double>(), new List<int>());
        for (var i = 0; i < outages; i++)
        {
            var running = await TwoTrainingAsync(fleet);
            proxy.Cut();
            var waiting = await fleet.Api.SubmitAsync(Fleet.ShortJob);
            await Task.Delay(length); // the outage itself
            var mended = DateTimeOffset.UtcNow;
            proxy.Mend();
            var next = await fleet.Api.FinishedJobAsync(waiting, Limit);
            claimed.Add((Fleet.Time(next, "claimedAt") - mended).TotalSeconds);
            started.Add((Fleet.Time(next, "trainingStartedAt") - mended).TotalSeconds);
            attempts.AddRange(await EndAsync(fleet, running));
        }
        Heading(
            $"Outage of {length.TotalSeconds:F0} s between three workers and the database",
            $"{outages} outages, two jobs running and one waiting in each. {Told(attempts)}"
        );
        Row("database back → waiting job claimed", claimed);
        Row("database back → waiting job's first step", started);
    }

    private static async Task RestartsAsync(string home, int restarts)
    {
        await using var server = await PostgresServer.StartAsync();
        await using var fleet = await Fleet.StartAsync(server.ConnectionString, home, workers: 3);
        await fleet.WarmUpAsync();
        var (started, attempts) = (new List<double>(), new List<int>());
        for (var i = 0; i < restarts; i++)
        {
            var running = await TwoTrainingAsync(fleet);
            await server.CrashAsync();
            var back = DateTimeOffset.UtcNow;
            var waiting = await OnceItAnswersAsync(() => fleet.Api.SubmitAsync(Fleet.ShortJob));
            var next = await OnceItAnswersAsync(() => fleet.Api.FinishedJobAsync(waiting, Limit));
            started.Add((Fleet.Time(next, "trainingStartedAt") - back).TotalSeconds);
            attempts.AddRange(await EndAsync(fleet, running));
        }
        Heading(
            "Immediate restart of PostgreSQL",
            $"{restarts} restarts (`pg_ctl restart -m immediate`), two jobs running in each. {Told(attempts)}"
        );
        Row("database back → first step of a job submitted then", started);
    }

    /// <summary>
    /// Repeats a request until it succeeds: after a restart of PostgreSQL the API answers 503 for each connection that it had
    /// open.
    /// </summary>
    private static async Task<T> OnceItAnswersAsync<T>(Func<Task<T>> ask)
    {
        T answer = default!;
        await Eventually.TrueAsync(
            async () =>
            {
                try
                {
                    answer = await ask();
                    return true;
                }
                catch (Exception e) when (e is InvalidOperationException or HttpRequestException)
                {
                    return false;
                }
            },
            Limit
        );
        return answer;
    }

    private static async Task StallsAsync(string home, int stalls)
    {
        const int Epochs = 60;
        await using var database = await TestDatabase.CreateAsync();
        await using var fleet = await Fleet.StartAsync(database.ConnectionString, home);
        for (var i = 0; i < 2; i++)
            await fleet.AddWorkerAsync(null, ("Worker__LeaseSeconds", "5"));
        var (elsewhere, told, wrong) = (new List<double>(), new List<double>(), 0);
        for (var i = 0; i < stalls; i++)
        {
            var id = await fleet.SubmitAndAwaitTrainingAsync(
                new
                {
                    dataset = "digits",
                    epsilon = 0.1,
                    epochs = Epochs,
                }
            );
            var owner = await fleet.OwnerAsync(id);
            await owner.SignalAsync("STOP");
            var stopped = DateTimeOffset.UtcNow;
            elsewhere.Add((await fleet.ClaimedAgainAsync(id) - stopped).TotalSeconds);
            told.Add((await ToldAsync(database, id) - stopped).TotalSeconds);
            await owner.SignalAsync("CONT");
            var job = await fleet.Api.FinishedJobAsync(id, TimeSpan.FromMinutes(3));
            var ended = (job["state"]!.GetValue<string>(), job["attempt"]!.GetValue<int>());
            if (ended != ("succeeded", 2) || !(await fleet.EpochsAsync(id)).SequenceEqual(Enumerable.Range(1, Epochs)))
                wrong++;
        }
        Heading(
            "SIGSTOP of a worker beyond its lease of 5 s",
            $"{stalls} stalls, each until the job ran elsewhere. "
                + $"Jobs that did not succeed at their second attempt with each of {Epochs} epochs once: {wrong}."
        );
        Row("stopped → claimed elsewhere", elsewhere);
        Row("stopped → Hangfire says lost", told);
    }

    private static async Task<Guid[]> TwoTrainingAsync(Fleet fleet) =>
        [await fleet.SubmitAndAwaitTrainingAsync(Fleet.LongJob), await fleet.SubmitAndAwaitTrainingAsync(Fleet.LongJob)];

    /// <summary>Cancels each job after it has trained another epoch.</summary>
    /// <returns>The number of attempts of each job.</returns>
    private static async Task<List<int>> EndAsync(Fleet fleet, Guid[] running)
    {
        var attempts = new List<int>();
        foreach (var id in running)
        {
            attempts.Add(await OnceItAnswersAsync(() => fleet.AttemptsOnceItGoesOnAsync(id)));
            await OnceItAnswersAsync(() => fleet.CancelAsync(id));
        }
        return attempts;
    }

    /// <returns>The time at which Hangfire's job of the first attempt was in a final state.</returns>
    private static async Task<DateTimeOffset> ToldAsync(TestDatabase database, Guid id)
    {
        var over = $"SELECT count(*) FROM hangfire.job WHERE arguments->>0 = '\"{id}\"' AND arguments->>1 = '1' AND statename = 'Deleted'";
        await Eventually.TrueAsync(async () => await database.ScalarAsync<long>(over) == 1, Limit);
        return DateTimeOffset.UtcNow;
    }

    private static string Told(List<int> attempts) => $"Attempts of the {attempts.Count} running jobs: {string.Join(", ", attempts)}.";

    private static void Heading(string heading, string text) =>
        Console.WriteLine($"\n## {heading}\n\n{text}\n\n| s | smallest | median | p99 | largest |\n|---|---|---|---|---|");

    private static void Row(string what, List<double> seconds)
    {
        double[] figures = [seconds.Min(), seconds.Median(), seconds.Quantile(0.99), seconds.Max()];
        Console.WriteLine($"| {what} | {string.Join(" | ", figures.Select(figure => figure.ToString("F2")))} |");
    }
}
