using System.Text.Json.Nodes;
using Npgsql;

namespace Temper.Bench;

/// <summary>How long each kind of fault keeps a job from running, how many attempts it costs, and how soon Hangfire's tables tell the same.</summary>
internal static class Faults
{
    public static readonly string[] Parts = ["waiting", "windows", "outages", "restarts", "stalls"];

    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(60);

    /// <param name="only">One of <see cref="Parts"/>; all when null.</param>
    public static async Task RunAsync(bool quick, string? only)
    {
        Console.WriteLine($"# What a fault costs\n\n{Machine.Describe()}\n\nAll processes on this machine; a worker has one slot and one thread.\n");
        var home = Directory.CreateTempSubdirectory("temper-bench-").FullName;
        foreach (var part in Parts.Where(part => only is null || only == part))
            await (part switch
            {
                "waiting" => WaitingAsync(home, quick ? 3 : 50),
                "windows" => WindowsAsync(home, quick ? 2 : 20),
                "outages" => OutagesAsync(home, quick ? 1 : 4, TimeSpan.FromSeconds(quick ? 10 : 60)),
                "restarts" => RestartsAsync(home, quick ? 1 : 10),
                _ => StallsAsync(home, quick ? 1 : 10),
            });
        Directory.Delete(home, recursive: true);
    }

    private static async Task WaitingAsync(string home, int deaths)
    {
        await using var database = await TestDatabase.CreateAsync();
        await using var fleet = await Fleet.StartAsync(database.ConnectionString, home, workers: 2);
        var (random, elsewhere, told) = (new Random(1), new List<double>(), new List<double>());
        for (var i = 0; i < deaths; i++)
        {
            var id = await fleet.SubmitAndAwaitTrainingAsync(Fleet.LongJob);
            while (await database.ScalarAsync<long>("SELECT count(*) FROM jobs WHERE state = 'queued'") < 200) await fleet.Api.SubmitAsync(Fleet.ShortJob);
            await Task.Delay(random.Next(1000));
            var killed = await fleet.KillAsync(await fleet.OwnerAsync(id));
            elsewhere.Add(await ClaimedAgainAsync(fleet, id) - Seconds(killed));
            told.Add(await ToldAsync(database, id, attempt: 1) - Seconds(killed));
            await fleet.CancelAsync(id);
            await fleet.AddWorkerAsync();
        }
        Heading("kill -9 of a worker, 200 jobs waiting", $"{deaths} deaths, one other worker, which trains short jobs.");
        Row("kill → claimed elsewhere", elsewhere);
        Row("kill → Hangfire says lost", told, last: true);
    }

    /// <summary>The worker has claimed, and its next statement in Hangfire's tables waits for a lock when it dies.</summary>
    private static async Task WindowsAsync(string home, int deaths)
    {
        await using var database = await TestDatabase.CreateAsync();
        foreach (var (table, window) in new[] { ("hangfire.job", "claimed, no job of Hangfire's yet"), ("hangfire.state", "Hangfire's job made, not enqueued") })
        {
            await using var fleet = await Fleet.StartAsync(database.ConnectionString, home, workers: 2);
            var elsewhere = new List<double>();
            for (var i = 0; i < deaths; i++)
            {
                Guid id;
                DateTimeOffset killed;
                await using (var connection = await database.DataSource.OpenConnectionAsync())
                await using (var transaction = await connection.BeginTransactionAsync())
                {
                    await new NpgsqlCommand($"LOCK TABLE {table} IN EXCLUSIVE MODE", connection).ExecuteNonQueryAsync();
                    id = await fleet.Api.SubmitAsync(Fleet.LongJob);
                    await Eventually.TrueAsync(async () => (await fleet.Api.JobAsync(id))["attempt"]!.GetValue<int>() == 1);
                    await Eventually.TrueAsync(async () => await database.ScalarAsync<long>($"SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = '{table}'::regclass") > 0);
                    killed = await fleet.KillAsync(await fleet.OwnerAsync(id));
                }
                elsewhere.Add(await ClaimedAgainAsync(fleet, id) - Seconds(killed));
                await fleet.CancelAsync(id);
                await fleet.AddWorkerAsync();
            }
            Heading($"kill -9 between claim and start: {window}", $"{deaths} deaths, one other worker idle.");
            Row("kill → claimed elsewhere", elsewhere, last: true);
        }
    }

    private static async Task OutagesAsync(string home, int outages, TimeSpan length)
    {
        await using var database = await TestDatabase.CreateAsync();
        await using var fleet = await Fleet.StartAsync(database.ConnectionString, home);
        using var proxy = new TcpProxy(database.ConnectionString);
        for (var i = 0; i < 3; i++) await fleet.AddWorkerAsync(proxy.ConnectionString);
        var (claimed, started, attempts) = (new List<double>(), new List<double>(), new List<int>());
        for (var i = 0; i < outages; i++)
        {
            Guid[] running = [await fleet.SubmitAndAwaitTrainingAsync(Fleet.LongJob), await fleet.SubmitAndAwaitTrainingAsync(Fleet.LongJob)];
            proxy.Cut();
            var waiting = await fleet.Api.SubmitAsync(Fleet.ShortJob);
            await Task.Delay(length); // the outage itself
            var mended = DateTimeOffset.UtcNow;
            proxy.Mend();
            var next = await fleet.Api.FinishedJobAsync(waiting, Limit);
            claimed.Add(Seconds(At(next, "claimedAt")) - Seconds(mended));
            started.Add(Seconds(At(next, "trainingStartedAt")) - Seconds(mended));
            foreach (var id in running)
            {
                var epochs = await EpochsAsync(fleet, id);
                await Eventually.TrueAsync(async () => await EpochsAsync(fleet, id) > epochs, Limit);
                attempts.Add((await fleet.Api.JobAsync(id))["attempt"]!.GetValue<int>());
                await fleet.CancelAsync(id);
            }
        }
        Heading($"Outage of {length.TotalSeconds:F0} s between three workers and the database", $"{outages} outages, two jobs running and one waiting in each. Attempts of the {attempts.Count} running jobs: {string.Join(", ", attempts)}.");
        Row("database back → waiting job claimed", claimed);
        Row("database back → waiting job's first step", started, last: true);
    }

    private static async Task RestartsAsync(string home, int restarts)
    {
        await using var server = await PostgresServer.StartAsync();
        await using var fleet = await Fleet.StartAsync(server.ConnectionString, home, workers: 3);
        var (started, attempts) = (new List<double>(), new List<int>());
        for (var i = 0; i < restarts; i++)
        {
            Guid[] running = [await fleet.SubmitAndAwaitTrainingAsync(Fleet.LongJob), await fleet.SubmitAndAwaitTrainingAsync(Fleet.LongJob)];
            await server.CrashAsync();
            var back = DateTimeOffset.UtcNow;
            Guid waiting = default;
            await Eventually.TrueAsync(async () =>
            {
                try
                {
                    waiting = await fleet.Api.SubmitAsync(Fleet.ShortJob);
                    return true;
                }
                catch (InvalidOperationException)
                {
                    return false; // 503
                }
            }, Limit);
            started.Add(Seconds(At(await fleet.Api.FinishedJobAsync(waiting, Limit), "trainingStartedAt")) - Seconds(back));
            foreach (var id in running)
            {
                var epochs = await EpochsAsync(fleet, id);
                await Eventually.TrueAsync(async () => await EpochsAsync(fleet, id) > epochs, Limit);
                attempts.Add((await fleet.Api.JobAsync(id))["attempt"]!.GetValue<int>());
                await fleet.CancelAsync(id);
            }
        }
        Heading("Immediate restart of PostgreSQL", $"{restarts} restarts (`pg_ctl restart -m immediate`), two jobs running in each. Attempts of the {attempts.Count} running jobs: {string.Join(", ", attempts)}.");
        Row("database back → first step of a job submitted then", started, last: true);
    }

    private static async Task StallsAsync(string home, int stalls)
    {
        await using var database = await TestDatabase.CreateAsync();
        await using var fleet = await Fleet.StartAsync(database.ConnectionString, home);
        for (var i = 0; i < 2; i++) await fleet.AddWorkerAsync(null, ("Worker__LeaseSeconds", "5"));
        var (elsewhere, told, wrong) = (new List<double>(), new List<double>(), 0);
        for (var i = 0; i < stalls; i++)
        {
            var id = await fleet.SubmitAndAwaitTrainingAsync(new { dataset = "digits", epsilon = 0.1, epochs = 60 });
            var owner = await fleet.OwnerAsync(id);
            await owner.SignalAsync("STOP");
            var stopped = DateTimeOffset.UtcNow;
            elsewhere.Add(await ClaimedAgainAsync(fleet, id) - Seconds(stopped));
            told.Add(await ToldAsync(database, id, attempt: 1) - Seconds(stopped));
            await owner.SignalAsync("CONT");
            var job = await fleet.Api.FinishedJobAsync(id, TimeSpan.FromMinutes(3));
            var epochs = (await fleet.Api.GetAsync($"/jobs/{id}/metrics"))["items"]!.AsArray().Select(epoch => epoch!["epoch"]!.GetValue<int>());
            if (job["state"]!.GetValue<string>() != "succeeded" || job["attempt"]!.GetValue<int>() != 2 || !epochs.SequenceEqual(Enumerable.Range(1, 60))) wrong++;
        }
        Heading("SIGSTOP of a worker beyond its lease of 5 s", $"{stalls} stalls, each until the job ran elsewhere. Jobs that did not succeed at their second attempt with each of 60 epochs once: {wrong}.");
        Row("stopped → claimed elsewhere", elsewhere);
        Row("stopped → Hangfire says lost", told, last: true);
    }

    private static async Task<int> EpochsAsync(Fleet fleet, Guid id) => (await fleet.Api.GetAsync($"/jobs/{id}/metrics"))["items"]!.AsArray().Count;

    /// <summary>Written with the database's clock, which is this machine's.</summary>
    private static async Task<double> ClaimedAgainAsync(Fleet fleet, Guid id) =>
        Seconds(At(await Eventually.ValueAsync(() => fleet.Api.JobAsync(id), job => job["attempt"]!.GetValue<int>() == 2, Limit), "claimedAt"));

    /// <returns>When Hangfire's job of the attempt was in a final state.</returns>
    private static async Task<double> ToldAsync(TestDatabase database, Guid id, int attempt)
    {
        await Eventually.TrueAsync(async () => await database.ScalarAsync<long>(
            $"SELECT count(*) FROM hangfire.job WHERE arguments->>0 = '\"{id}\"' AND arguments->>1 = '{attempt}' AND statename = 'Deleted'") == 1, Limit);
        return Seconds(DateTimeOffset.UtcNow);
    }

    private static DateTimeOffset At(JsonNode job, string field) => job[field]!.GetValue<DateTimeOffset>();

    private static double Seconds(DateTimeOffset time) => (time - DateTimeOffset.UnixEpoch).TotalSeconds;

    private static void Heading(string heading, string text) => Console.WriteLine($"## {heading}\n\n{text}\n\n| s | smallest | median | p99 | largest |\n|---|---|---|---|---|");

    private static void Row(string what, List<double> seconds, bool last = false) =>
        Console.WriteLine($"| {what} | {seconds.Min():F2} | {seconds.Median():F2} | {seconds.Quantile(0.99):F2} | {seconds.Max():F2} |{(last ? "\n" : "")}");
}
