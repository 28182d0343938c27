using Temper.Store;

namespace Temper.Api.Jobs;

/// <summary>
/// The versions of what clients already have. While one look at the database is under way, the requests that arrive wait for
/// the next and share it, so that many pollers cost few statements. A look begins after each of its requests has come: what it
/// says is as fresh as a full answer.
/// </summary>
internal sealed class JobVersions(JobReader reader)
{
    private readonly SharedLook<Guid> jobs = new(reader.VersionsAsync);
    private readonly SharedLook<(Guid Id, int After)> metrics = new(reader.MetricsVersionsAsync);

    /// <returns>Null when there is no such job.</returns>
    public Task<long?> OfJobAsync(Guid id, CancellationToken cancellation) => jobs.AskAsync(id, cancellation);

    /// <inheritdoc cref="OfJobAsync"/>
    public Task<long?> OfMetricsAsync(Guid id, int after, CancellationToken cancellation) => metrics.AskAsync((id, after), cancellation);

    private sealed class SharedLook<TKey>(Func<IReadOnlyCollection<TKey>, Task<IReadOnlyDictionary<TKey, long>>> look) where TKey : notnull
    {
        private readonly Lock gate = new();
        private Round? next;
        private bool isLooking;

        public async Task<long?> AskAsync(TKey key, CancellationToken cancellation)
        {
            Round round;
            lock (gate)
            {
                round = next ??= new();
                round.Keys.Add(key);
                if (!isLooking) _ = LookAsync();
            }
            return (await round.Versions.Task.WaitAsync(cancellation)).TryGetValue(key, out var version) ? version : null;
        }

        /// <summary>Round after round until nobody waits. Called with the gate held.</summary>
        private async Task LookAsync()
        {
            isLooking = true;
            while (true)
            {
                await Task.Yield(); // requests that wait for a thread already get to join
                if (Next() is not { } round) return;
                try
                {
                    round.Versions.SetResult(await look(round.Keys));
                }
                catch (Exception e)
                {
                    round.Versions.SetException(e);
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

        private sealed class Round
        {
            public HashSet<TKey> Keys { get; } = [];

            public TaskCompletionSource<IReadOnlyDictionary<TKey, long>> Versions { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
        }
    }
}
