namespace Temper.Bench;

/// <summary>Trains a data set's jobs over ε and seeds, and prints the results as a table.</summary>
internal static class Accuracy
{
    private sealed record Run(double Epsilon, int Seed, double Accuracy, double Loss, double Ece, double SignedGap, double Minutes);

    public static async Task RunAsync(string dataset, int epochs, int seeds, double[] epsilons)
    {
        await using var database = await TestDatabase.CreateAsync();
        await using var api = await ApiProcess.StartAsync(database.ConnectionString);
        var home = Directory.CreateTempSubdirectory("temper-bench-").FullName;
        await using var worker = await WorkerProcess.StartAsync(database.ConnectionString, home);

        var runs = new List<Run>();
        foreach (var epsilon in epsilons)
            for (var seed = 0; seed < seeds; seed++)
                runs.Add(await TrainAsync(api, dataset, epochs, epsilon, seed));

        Console.WriteLine($"# {dataset}, {epochs} epochs\n\n{Machine.Describe()}. Spec: defaults, CPU. Test set, hard labels, 15 bins.\n");
        Console.WriteLine("| ε | seed | accuracy | NLL | ECE | signed gap | minutes |\n|---|---|---|---|---|---|---|");
        foreach (var run in runs)
            Console.WriteLine(
                $"| {run.Epsilon} | {run.Seed} | {run.Accuracy:F4} | {run.Loss:F4} | {run.Ece:F4} | {run.SignedGap:+0.0000;-0.0000} | "
                    + $"{run.Minutes:F2} |"
            );
        Console.WriteLine("\n| ε | mean accuracy | mean NLL | mean ECE | mean signed gap |\n|---|---|---|---|---|");
        foreach (var group in runs.GroupBy(run => run.Epsilon))
            Console.WriteLine(
                $"| {group.Key} | {group.Average(r => r.Accuracy):F4} | {group.Average(r => r.Loss):F4} | "
                    + $"{group.Average(r => r.Ece):F4} | {group.Average(r => r.SignedGap):+0.0000;-0.0000} |"
            );
        Directory.Delete(home, recursive: true);
    }

    private static async Task<Run> TrainAsync(ApiProcess api, string dataset, int epochs, double epsilon, int seed)
    {
        var id = await api.SubmitAsync(
            new
            {
                dataset,
                epsilon,
                epochs,
                seed,
            }
        );
        JsonNode job;
        // Polls slowly, because each request takes a little time from the training.
        do
        {
            await Task.Delay(TimeSpan.FromSeconds(1));
            job = await api.JobAsync(id);
        } while (!job["isTerminal"]!.GetValue<bool>());
        if (job["result"] is not { } result)
            throw new InvalidOperationException(job.ToJsonString());
        double Of(string field) => result[field]!.GetValue<double>();
        var minutes = (job["finishedAt"]!.GetValue<DateTimeOffset>() - job["claimedAt"]!.GetValue<DateTimeOffset>()).TotalMinutes;
        return new(epsilon, seed, Of("testAccuracy"), Of("testLoss"), Of("testEce"), Of("testSignedGap"), minutes);
    }
}
