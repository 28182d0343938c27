using System.Globalization;
using System.Net.Http.Json;
using System.Text.Json;
using System.Text.RegularExpressions;

namespace Temper.Bench;

/// <summary>How long a submitted job waits until it trains, while a worker sits idle and warm.</summary>
internal static class StartLatency
{
    /// <summary>Small enough to finish at once, on a set whose loading is paid by the first job.</summary>
    private static readonly object Spec = new { dataset = "digits", epsilon = 0.1, epochs = 1 };

    public static async Task RunAsync(int jobs)
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
            if (i >= 0) samples.Add(sample);
        }

        Console.WriteLine($"# From the 202 to the first training step\n\n{Machine.Describe()}\n");
        Console.WriteLine($"{jobs} jobs on `digits`, one at a time, worker idle and warm, data set cached by the runner, API, worker and PostgreSQL on the same machine.\n");
        Console.WriteLine("| ms | median | p90 | largest |\n|---|---|---|---|");
        Print("202 answered → first optimizer step begins", samples, sample => sample.AnswerToFirstStep);
        Print("the same without data loading", samples, sample => sample.AnswerToFirstStep - sample.Data);
        Print("of it: data loading (cached bytes → normalized tensor)", samples, sample => sample.Data);
        Print("of it: job stored → claimed", samples, sample => sample.StoredToClaimed);
        Print("of it: claimed → first optimizer step begins", samples, sample => sample.ClaimedToFirstStep);
        Print("POST sent → 202 answered", samples, sample => sample.Post);
        Directory.Delete(home, recursive: true);
    }

    private sealed record Sample(double AnswerToFirstStep, double Data, double StoredToClaimed, double ClaimedToFirstStep, double Post);

    private static async Task<Sample> MeasureAsync(ApiProcess api, WorkerProcess worker)
    {
        var sent = DateTimeOffset.UtcNow;
        using var response = await api.Http.PostAsJsonAsync("/jobs", Spec);
        var answered = DateTimeOffset.UtcNow;
        var id = (await response.Content.ReadFromJsonAsync<JsonElement>()).GetProperty("id").GetGuid();
        // Polling would take the core that the first step needs.
        await Task.Delay(TimeSpan.FromSeconds(2));
        var job = await api.FinishedJobAsync(id, TimeSpan.FromSeconds(60));
        var dataMs = double.Parse(Regex.Match(worker.Output, $"{id} attempt 1 trains, data loaded in ([0-9.]+) ms").Groups[1].Value, CultureInfo.InvariantCulture);
        // Written with the database's clock, which is this machine's.
        DateTimeOffset At(string field) => job[field]!.GetValue<DateTimeOffset>();
        return new(
            (At("trainingStartedAt") - answered).TotalMilliseconds,
            dataMs,
            (At("claimedAt") - At("createdAt")).TotalMilliseconds,
            (At("trainingStartedAt") - At("claimedAt")).TotalMilliseconds,
            (answered - sent).TotalMilliseconds);
    }

    private static void Print(string what, List<Sample> samples, Func<Sample, double> value)
    {
        var sorted = samples.Select(value).Order().ToArray();
        double At(double share) => sorted[Math.Min((int)(share * sorted.Length), sorted.Length - 1)];
        Console.WriteLine($"| {what} | {At(0.5):F1} | {At(0.9):F1} | {sorted[^1]:F1} |");
    }
}
