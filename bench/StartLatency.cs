using System.Diagnostics;
using System.Globalization;
using System.Net.Http.Json;
using System.Text.Json;
using System.Text.RegularExpressions;

namespace Temper.Bench;

/// <summary>Measures how long a submitted job waits until it trains, on an idle, warm worker.</summary>
internal static class StartLatency
{
    /// <summary>Small enough to finish at once; only the first job must load its data set.</summary>
    private static readonly object Spec = new
    {
        dataset = "digits",
        epsilon = 0.1,
        epochs = 1,
    };

    public static async Task RunAsync(int jobs)
    {
        await OneByOneAsync(jobs);
        await TogetherAsync(36);
        await StudyAsync(10_000);
    }

    private static async Task OneByOneAsync(int jobs)
    {
        await using var database = await TestDatabase.CreateAsync();
        await using var api = await ApiProcess.StartAsync(database.ConnectionString);
        var home = Directory.CreateTempSubdirectory("temper-bench-").FullName;
        await using var worker = await WorkerProcess.StartAsync(database.ConnectionString, home);

        var random = new Random(1);
        var samples = new List<Sample>();
        for (var i = -3; i < jobs; i++)
        {
            // Jobs arrive at any phase of the worker's once-a-second poll.
            await Task.Delay(random.Next(100, 1100));
            var sample = await MeasureAsync(api, worker);
            if (i >= 0)
                samples.Add(sample);
        }

        Console.WriteLine($"# From the 202 to the first training step\n\n{Machine.Describe()}\n");
        Console.WriteLine(
            $"{jobs} jobs on `digits`, one at a time, worker idle and warm, data set cached by the runner, API, worker and PostgreSQL "
                + "on the same machine.\n"
        );
        Console.WriteLine("| ms | median | p90 | largest |\n|---|---|---|---|");
        Print("202 answered → first optimizer step begins", samples, sample => sample.AnswerToFirstStep);
        Print("the same without data loading", samples, sample => sample.AnswerToFirstStep - sample.Data);
        Print("of it: data loading (cached bytes → normalized tensor)", samples, sample => sample.Data);
        Print("of it: job stored → claimed", samples, sample => sample.StoredToClaimed);
        Print("of it: claimed → first optimizer step begins", samples, sample => sample.ClaimedToFirstStep);
        Print("POST sent → 202 answered", samples, sample => sample.Post);
        Directory.Delete(home, recursive: true);
    }

    /// <summary>Measures how long a slot is idle between two jobs while many jobs wait for two workers.</summary>
    private static async Task TogetherAsync(int jobs)
    {
        await using var database = await TestDatabase.CreateAsync();
        var home = Directory.CreateTempSubdirectory("temper-bench-").FullName;
        await using var fleet = await Fleet.StartAsync(database.ConnectionString, home, workers: 2);
        var ids = new List<Guid>();
        for (var i = 0; i < jobs; i++)
            ids.Add(await fleet.Api.SubmitAsync(Spec));
        foreach (var id in ids)
            await fleet.Api.FinishedJobAsync(id, TimeSpan.FromMinutes(5));
        await using var command = database.DataSource.CreateCommand(
            """
            SELECT 1000 * extract(epoch FROM claimed_at - before)::float8
            FROM (SELECT claimed_at, lag(ended_at) OVER (PARTITION BY worker ORDER BY claimed_at) AS before FROM attempts) slots
            WHERE before IS NOT NULL
            """
        );
        await using var row = await command.ExecuteReaderAsync();
        var gaps = new List<double>();
        while (await row.ReadAsync())
            gaps.Add(row.GetDouble(0));
        Console.WriteLine(
            $"""

            ## {jobs} jobs on two workers

            One slot each; from an attempt's end in the database to the next claim of the same slot: {gaps.Median():F1} ms median,
            {gaps.Max():F1} ms largest of {gaps.Count}.
            """
        );
        Directory.Delete(home, recursive: true);
    }

    /// <summary>Measures a study whose jobs are stored in one request.</summary>
    private static async Task StudyAsync(int jobs)
    {
        await using var database = await TestDatabase.CreateAsync();
        await using var api = await ApiProcess.StartAsync(database.ConnectionString);
        var study = new
        {
            job = new { dataset = "digits", epochs = 1 },
            epsilons = Enumerable.Range(0, 100).Select(e => e / 200.0),
            seeds = jobs / 100,
        };
        var seconds = new List<double>();
        for (var i = 0; i < 6; i++)
        {
            var clock = Stopwatch.StartNew();
            using var response = await api.Http.PostAsJsonAsync("/studies", study);
            if (!response.IsSuccessStatusCode)
                throw new InvalidOperationException(await response.Content.ReadAsStringAsync());
            if (i > 0)
                seconds.Add(clock.Elapsed.TotalSeconds); // the first request warms the API up
            await database.ExecuteAsync("TRUNCATE studies, jobs CASCADE");
        }
        Console.WriteLine(
            $"""

            ## {jobs} jobs submitted

            `POST /studies` with {jobs} jobs, sent → 202: {seconds.Spread("F2")} s, median (lowest–highest) of {seconds.Count}.
            """
        );
    }

    private sealed record Sample(double AnswerToFirstStep, double Data, double StoredToClaimed, double ClaimedToFirstStep, double Post);

    private static async Task<Sample> MeasureAsync(ApiProcess api, WorkerProcess worker)
    {
        var sent = DateTimeOffset.UtcNow;
        using var response = await api.Http.PostAsJsonAsync("/jobs", Spec);
        var answered = DateTimeOffset.UtcNow;
        var id = (await response.Content.ReadFromJsonAsync<JsonElement>()).GetProperty("id").GetGuid();
        // Polling would use the core that the first step needs.
        await Task.Delay(TimeSpan.FromSeconds(2));
        var job = await api.FinishedJobAsync(id, TimeSpan.FromSeconds(60));
        var dataMs = double.Parse(
            Regex.Match(worker.Output, $"{id} attempt 1 trains, data loaded in ([0-9.]+) ms").Groups[1].Value,
            CultureInfo.InvariantCulture
        );
        // The times are from the database's clock, which is this machine's clock.
        DateTimeOffset At(string field) => job[field]!.GetValue<DateTimeOffset>();
        return new(
            (At("trainingStartedAt") - answered).TotalMilliseconds,
            dataMs,
            (At("claimedAt") - At("createdAt")).TotalMilliseconds,
            (At("trainingStartedAt") - At("claimedAt")).TotalMilliseconds,
            (answered - sent).TotalMilliseconds
        );
    }

    private static void Print(string what, List<Sample> samples, Func<Sample, double> value)
    {
        var sorted = samples.Select(value).Order().ToArray();
        double At(double share) => sorted[Math.Min((int)(share * sorted.Length), sorted.Length - 1)];
        Console.WriteLine($"| {what} | {At(0.5):F1} | {At(0.9):F1} | {sorted[^1]:F1} |");
    }
}
