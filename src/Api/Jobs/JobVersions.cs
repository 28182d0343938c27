using Temper.Store;

namespace Temper.Api.Jobs;

/// <summary>
/// The versions of what clients may have already. While one look at the database is under way, the requests that arrive wait for
/// the next and share it, so that many pollers cost few statements. A look begins after each of its requests has come: what it
/// says is as fresh as a full answer.
/// </summary>
internal sealed class JobVersions(JobReader reader)
{
    private readonly Lock gate = new();
    private Round? next;
    private bool isLooking;

    /// <returns>Null when there is no such job.</returns>
    public async Task<JobVersion?> FindAsync(Guid id)
    {
        Round round;
        lock (gate)
        {
            round = next ??= new();
            round.Ids.Add(id);
            if (!isLooking)
            {
                isLooking = true;
                using (ExecutionContext.SuppressFlow())
                    _ = Task.Run(LookAsync); // it outlives the request that began it
            }
        }
        return (await round.Versions.Task).TryGetValue(id, out var version) ? version : null;
    }

    /// <summary>Round after round until nobody waits.</summary>
    private async Task LookAsync()
    {
        while (true)
        {
            await Task.Yield(); // requests that wait for a thread already get to join
            if (Next() is not { } round)
                return;
            try
            {
                round.Versions.SetResult(await reader.VersionsAsync(round.Ids));
            }
            catch (Exception e)
            {
                // Who came meanwhile would wait as long for the same. Who tries again after that joins another round.
                var waiting = Waiting();
                round.Versions.SetException(e);
                waiting?.Versions.SetException(e);
            }
        }
    }

    private Round? Next()
    {
        lock (gate)
        {
            var round = next;
            next = null;
            isLooking = round is not null;
            return round;
        }
    }

    /// <returns>The round that waits for the next look; null when nobody does.</returns>
    private Round? Waiting()
    {
        lock (gate)
        {
            var round = next;
            next = null;
            return round;
        }
    }

    private sealed class Round
    {
        public HashSet<Guid> Ids { get; } = [];

        public TaskCompletionSource<IReadOnlyDictionary<Guid, JobVersion>> Versions { get; } =
            new(TaskCreationOptions.RunContinuationsAsynchronously);
    }
}
