using System.Diagnostics;
using Temper.Harness.Fuzz;

namespace Temper.Harness.Chaos;

/// <summary>
/// Submits training jobs while workers, runners, the API, the database and the connections between them keep failing, and checks
/// afterwards that no submitter could notice it.
/// </summary>
public static class ChaosRun
{
    private static readonly TimeSpan LookInterval = TimeSpan.FromMilliseconds(500);

    public static async Task<ChaosReport> RunAsync(ChaosOptions options, CancellationToken stop = default)
    {
        using var log = new ChaosLog(options.LogFolder);
        var plan = new ChaosPlan(options);
        log.Keep("schedule.txt", string.Join('\n', plan.Faults));
        var violations = new Violations(log);
        await using var stage = await ChaosStage.SetUpAsync(options, log, violations);
        var client = new CarefulClient(stage.Api.Address, violations);

        log.Write("undisturbed runs");
        var outcomes = await Outcomes.OfUndisturbedAsync(plan, stage.Database, client);
        await stage.FillSeatsAsync(options.Workers);

        log.Write("faults begin");
        var schedule = new FaultSchedule(plan, stage, log);
        var submissions = new Submissions(plan, stage.Database, client, violations);
        await using var fuzzer = await RouteFuzzer.CreateAsync(options.Seed, stage.Api, violations);
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(stop);
        var looks = LookAfterAsync(stage, ending.Token);
        var faults = schedule.RunAsync(ending.Token);
        var fuzzing = fuzzer.RunAsync(options.Fuzzing, faults);
        try
        {
            await submissions.SubmitAsync(options.LeastJobs, 4 * options.Workers, faults, stop);
            await faults;
            await fuzzing;
            await fuzzer.CancelLeftoversAsync(stage.Database);
            log.Write("no more faults");
            log.Write(await DrainAsync(stage, options.DrainLimit, stop) ? "every job is over" : "not every job is over in time");
        }
        finally
        {
            // In every case the loops must end first, so that none of them starts a process while the stage is cleared.
            await ending.CancelAsync();
            await Task.WhenAll(looks, faults, fuzzing).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
        await looks;
        await submissions.CheckAsync(outcomes);
        await Audit.CheckAsync(stage.Database, violations);
        await Operator.CheckAsync(stage.Database, violations);
        await stage.CloseSeatsAsync();
        return await ChaosReport.OfAsync(options, plan, schedule, submissions, outcomes, fuzzer, stage, client, violations);
    }

    private static async Task LookAfterAsync(ChaosStage stage, CancellationToken stop)
    {
        while (!stop.IsCancellationRequested)
        {
            await stage.LookAfterAsync();
            await Task.WhenAny(Task.Delay(LookInterval, stop));
        }
    }

    /// <returns>False when some jobs had not ended in time.</returns>
    private static async Task<bool> DrainAsync(ChaosStage stage, TimeSpan limit, CancellationToken stop)
    {
        for (var clock = Stopwatch.StartNew(); clock.Elapsed < limit; await Task.Delay(LookInterval, stop))
            if (
                await stage.Database.CountAsync("SELECT count(*) FROM jobs WHERE finished_at IS NULL AND idempotency_key LIKE 'chaos-%'")
                == 0
            )
                return true;
        return false;
    }
}
