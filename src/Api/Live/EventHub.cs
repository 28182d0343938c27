using System.Diagnostics;
using Temper.Domain.Jobs;
using Temper.Store;
using Temper.Store.Events;

namespace Temper.Api.Live;

/// <summary>
/// Reads the changes once for all clients, and hands each event to the subscriptions that want it. It reads only while there are
/// subscriptions.
/// </summary>
/// <remarks>
/// It reads at an interval and does not LISTEN. A NOTIFY takes a lock at commit that lets one such transaction commit at a time,
/// so a NOTIFY with each epoch would limit the whole fleet, also while no client listens.
/// </remarks>
internal sealed class EventHub(EventReader reader, IHostApplicationLifetime lifetime, ILogger<EventHub> log) : BackgroundService
{
    private static readonly TimeSpan ChangesEvery = TimeSpan.FromMilliseconds(100),
        ProgressEvery = TimeSpan.FromSeconds(1),
        ExistenceEvery = TimeSpan.FromSeconds(2),
        AbortAfter = TimeSpan.FromSeconds(1);

    /// <summary>How long a stream sends nothing at most.</summary>
    public static readonly TimeSpan HeartbeatEvery = TimeSpan.FromSeconds(15);

    private readonly Lock gate = new();
    private readonly Dictionary<EventScope, HashSet<Subscription>> subscriptions = [];
    private TaskCompletionSource reading = NewSource();
    private bool isStopping;

    /// <returns>A subscription that gets every change that is committed from now on. It may also get some from before.</returns>
    /// <exception cref="Npgsql.NpgsqlException">The database does not answer.</exception>
    public async Task<Subscription> SubscribeAsync(EventScope scope, Action abort, CancellationToken cancellation)
    {
        var subscription = new Subscription(scope, abort, Remove);
        Task begun;
        lock (gate)
        {
            if (!subscriptions.TryGetValue(scope, out var same))
                subscriptions[scope] = same = [];
            same.Add(subscription);
            begun = reading.Task;
            if (isStopping)
                subscription.Complete();
        }
        try
        {
            await begun.WaitAsync(cancellation);
            return subscription;
        }
        catch
        {
            subscription.Dispose();
            throw;
        }
    }

    protected override async Task ExecuteAsync(CancellationToken stopping)
    {
        // Kestrel waits at shutdown for the streams, so these end before it.
        using var registration = lifetime.ApplicationStopping.Register(() => _ = EndAllAsync());
        await Task.WhenAll(ReadAsync(stopping), BeatAsync(stopping));
    }

    private async Task ReadAsync(CancellationToken stopping)
    {
        using var timer = new PeriodicTimer(ChangesEvery);
        var round = new Round();
        while (await timer.WaitForNextTickAsync(stopping))
        {
            if (IsIdle())
            {
                round = new();
                continue;
            }
            try
            {
                await ReadAsync(round, stopping);
            }
            catch (Exception e) when (!stopping.IsCancellationRequested)
            {
                // Streams stay open. The next round continues where the last one ended.
                if (!round.IsFailing)
                    log.LogWarning(Outage.Behind(e) is null ? e : null, "Reading events failed: {Reason}", e.Message);
                round.IsFailing = true;
                Refuse(e);
            }
        }
    }

    private async Task ReadAsync(Round round, CancellationToken stopping)
    {
        if (round.Seen is null)
        {
            round.Seen = await reader.NowAsync(stopping);
            lock (gate)
                reading.TrySetResult();
        }
        for (var hasMore = true; hasMore; )
        {
            var changes = await reader.ReadAsync(EventScope.All, new(round.Seen, null), WantsStudy, stopping);
            foreach (var change in changes.Items)
            {
                if (change is StudyChange study)
                    round.Studies.Remove(study.Study.Id);
                if (change is StudyChange early && changes.HasMore)
                    round.Studies[early.Study.Id] = early;
                else
                    Publish(change);
            }
            (round.Seen, hasMore) = (changes.End, changes.HasMore);
        }
        foreach (var study in round.Studies.Values)
            Publish(study with { Position = new(round.Seen, null) });
        round.Studies.Clear();
        if (round.IsDue(ref round.ProgressAt, ProgressEvery))
            round.Progress = Publish(await reader.ProgressAsync(stopping), round.Progress);
        if (round.IsDue(ref round.ExistenceAt, ExistenceEvery) && FollowedIds() is { Count: > 0 } ids)
        {
            var existing = await reader.ExistingAsync(ids, stopping);
            foreach (var gone in ids.Where(id => !existing.Contains(id)))
                End(gone);
        }
        round.IsFailing = false;
    }

    private async Task BeatAsync(CancellationToken stopping)
    {
        using var timer = new PeriodicTimer(HeartbeatEvery);
        while (await timer.WaitForNextTickAsync(stopping))
            lock (gate)
                foreach (var subscription in subscriptions.Values.SelectMany(same => same))
                    subscription.Send(LiveEvent.Heartbeat);
    }

    private void Publish(Change change)
    {
        var (job, study, tenant) = change switch
        {
            JobChange ofJob => (ofJob.Job, ofJob.Study, ofJob.Tenant),
            StudyChange ofStudy => ((Guid?)null, (Guid?)ofStudy.Study.Id, ofStudy.Study.Tenant),
            _ => throw new ArgumentException($"{change.GetType().Name} belongs to no tenant.", nameof(change)),
        };
        Publish(job, study, tenant, new LiveEvent(change, null));
    }

    /// <returns>The progress by job, to compare the next one with.</returns>
    private Dictionary<Guid, TrainingProgress> Publish(IReadOnlyList<Progress> running, Dictionary<Guid, TrainingProgress> before)
    {
        foreach (var progress in running)
            if (!before.TryGetValue(progress.Job, out var known) || known != progress.Training)
                Publish(progress.Job, progress.Study, progress.Tenant, new LiveEvent(null, progress));
        return running.ToDictionary(progress => progress.Job, progress => progress.Training);
    }

    private void Publish(Guid? job, Guid? study, string tenant, LiveEvent one)
    {
        EventScope?[] scopes =
        [
            EventScope.OfTenant(tenant),
            job is null ? null : EventScope.OfJob(job.Value),
            study is null ? null : EventScope.OfStudy(study.Value),
        ];
        lock (gate)
            foreach (var scope in scopes.OfType<EventScope>())
            foreach (var subscription in subscriptions.GetValueOrDefault(scope, []))
                subscription.Send(one);
    }

    private bool WantsStudy(Guid study, string tenant)
    {
        lock (gate)
            return subscriptions.ContainsKey(EventScope.OfTenant(tenant)) || subscriptions.ContainsKey(EventScope.OfStudy(study));
    }

    private List<Guid> FollowedIds()
    {
        lock (gate)
            return [.. subscriptions.Keys.Select(scope => scope.Job ?? scope.Study).OfType<Guid>()];
    }

    private void End(Guid id)
    {
        lock (gate)
            foreach (var scope in new[] { EventScope.OfJob(id), EventScope.OfStudy(id) })
            foreach (var subscription in subscriptions.GetValueOrDefault(scope, []))
                subscription.Complete();
    }

    private async Task EndAllAsync()
    {
        lock (gate)
        {
            isStopping = true;
            foreach (var subscription in subscriptions.Values.SelectMany(same => same))
                subscription.Complete();
        }
        await Task.Delay(AbortAfter);
        List<Subscription> left;
        lock (gate)
            left = [.. subscriptions.Values.SelectMany(same => same)];
        foreach (var subscription in left)
            subscription.Abort();
    }

    private void Remove(Subscription subscription)
    {
        lock (gate)
            if (subscriptions.TryGetValue(subscription.Scope, out var same) && same.Remove(subscription) && same.Count == 0)
                subscriptions.Remove(subscription.Scope);
    }

    /// <returns>Whether there are no subscriptions. The next one then waits until the hub reads again.</returns>
    private bool IsIdle()
    {
        lock (gate)
        {
            if (subscriptions.Count > 0)
                return false;
            if (reading.Task.IsCompleted)
                reading = NewSource();
            return true;
        }
    }

    /// <summary>Fails the subscriptions that wait for the first read.</summary>
    private void Refuse(Exception reason)
    {
        lock (gate)
            if (reading.TrySetException(reason))
            {
                _ = reading.Task.Exception; // nobody may be waiting
                reading = NewSource();
            }
    }

    private static TaskCompletionSource NewSource() => new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>What the hub remembers from one read to the next.</summary>
    private sealed class Round
    {
        /// <summary>Null before the first read.</summary>
        public Snapshot? Seen;

        /// <summary>
        /// Counts of studies that came with a page before the last. They are those of now, so they are told after the last page: a
        /// study must not end before its jobs.
        /// </summary>
        public readonly Dictionary<Guid, StudyChange> Studies = [];

        public long ProgressAt,
            ExistenceAt;

        public Dictionary<Guid, TrainingProgress> Progress = [];

        public bool IsFailing;

        public bool IsDue(ref long last, TimeSpan interval)
        {
            if (last != 0 && Stopwatch.GetElapsedTime(last) < interval)
                return false;
            last = Stopwatch.GetTimestamp();
            return true;
        }
    }
}
