namespace Temper.Harness.Chaos;

/// <summary>Keeps jobs waiting in the queue as long as faults go on, and records which were acknowledged.</summary>
public sealed class Submissions(ChaosPlan plan, ChaosDatabase database, CarefulClient client, Violations violations)
{
    /// <summary>One submission in this many is sent once more, as a script does that missed the answer.</summary>
    private const int SentTwiceEach = 5;

    private readonly List<Guid> acknowledged = [];

    /// <summary>The ids of the jobs by number; the n-th job has the n-th key.</summary>
    public IReadOnlyList<Guid> Acknowledged => acknowledged;

    public async Task SubmitAsync(int atLeast, int waiting, Task faults, CancellationToken stop)
    {
        while (acknowledged.Count < atLeast || !faults.IsCompleted)
        {
            if (await database.CountAsync("SELECT count(*) FROM jobs WHERE state = 'queued' AND idempotency_key LIKE 'chaos-%'") < waiting)
                await SubmitOneAsync();
            else
                await Task.Delay(TimeSpan.FromMilliseconds(300), stop);
        }
    }

    private async Task SubmitOneAsync()
    {
        var (number, key) = (acknowledged.Count, $"chaos-{acknowledged.Count}");
        if (await client.SubmitAsync(plan.Specs[plan.SpecOf(number)], key) is not { } id)
        {
            await Task.Delay(TimeSpan.FromSeconds(1)); // the client has reported the violation; the next try has the same key
            return;
        }
        acknowledged.Add(id);
        if (number % SentTwiceEach == 0 && await client.SubmitAsync(plan.Specs[plan.SpecOf(number)], key) is { } again && again != id)
            violations.Add(Rule.JobDoubled, $"{key} is {id} and {again}");
    }

    /// <summary>Checks that every acknowledged job exists once and succeeded with the outcome of its spec.</summary>
    public async Task CheckAsync(Outcomes outcomes)
    {
        var rows = await database.CountAsync("SELECT count(*) FROM jobs WHERE idempotency_key LIKE 'chaos-%'");
        if (rows > acknowledged.Count)
            violations.Add(Rule.JobDoubled, $"{acknowledged.Count} were submitted, {rows} are there");
        for (var number = 0; number < acknowledged.Count; number++)
        {
            var id = acknowledged[number];
            var found = await database.RowsAsync("SELECT state FROM jobs WHERE id = $1 AND idempotency_key = $2", id, $"chaos-{number}");
            if (found.Count == 0)
                violations.Add(Rule.AcknowledgedJobMissing, $"{id}, chaos-{number}");
            else if (found[0] != "succeeded")
            {
                var states = await database.RowsAsync("SELECT state, attempt, reason, at FROM chaos_states WHERE job = $1 ORDER BY at", id);
                violations.Add(Rule.JobNotSucceeded, $"{id} is {found[0]}: {string.Join(" → ", states)}");
            }
            else if (await outcomes.DifferenceAsync(id, plan.SpecOf(number), client) is { } difference)
                violations.Add(Rule.ResultOrMetricsDiffer, $"{id}, {difference}");
        }
    }
}
