using Temper.Store;

namespace Temper.Api.Jobs;

/// <summary>
/// Reads the current versions of jobs, to compare with the versions that clients hold. While one query runs, new requests wait
/// and share the next query, so many pollers cost few statements. Each query begins after all its requests have arrived, so its
/// result is as fresh as a full answer.
/// </summary>
internal sealed class JobVersions(JobReader reader)
{
    private readonly Lock gate = new();
    private Round? next;
    private bool isLooking;

    /// <returns>The job's version; null when there is no such job.</returns>
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
                    _ = Task.Run(LookAsync); // the task outlives the request that starts it
            }
        }
        return (await round.Versions.Task).TryGetValue(id, out var version) ? version : null;
    }

    /// <summary>Runs one query after another until no request waits.</summary>
    private async Task LookAsync()
    {
        while (true)
        {
            await Task.Yield(); // requests that already wait for a thread can join this round
            if (Next() is not { } round)
                return;
            try
            {
                round.Versions.SetResult(await reader.VersionsAsync(round.Ids));
            }
            catch (Exception e)
            {
                // The requests that arrived during the query fail too: they would wait as long for the same error. A retry joins
                // a new round.
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
            var round = Waiting();
            isLooking = round is not null;
            return round;
        }
    }

    /// <returns>The round that waits for the next query; null when no request waits.</returns>
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
