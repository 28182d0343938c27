using Temper.Store.Queue;

namespace Temper.Worker.Supervisor;

/// <summary>
/// Decides which workers are lost, from sightings on one unbroken connection. A worker must look lost for a while on that
/// connection, while the watcher's own heartbeats are stored. The reasons: after a restart or an outage of the database every
/// worker looks silent at first, and on a full disk no heartbeat is stored. Only the database's clock is used.
/// </summary>
internal sealed class LostWorkers(Guid watcher, TimeSpan lease)
{
    /// <summary>How long a worker must look lost to count as lost. Healthy ones reconnect within a second or two.</summary>
    public static readonly TimeSpan Watched = TimeSpan.FromSeconds(3);

    private readonly Dictionary<Guid, DateTimeOffset> absentSince = [];
    private readonly Dictionary<Guid, DateTimeOffset> silentSince = [];

    /// <param name="sightings">The watcher, and every worker that owns a running job.</param>
    /// <returns>The lost workers, each with the reason.</returns>
    public IReadOnlyList<(WorkerSighting Worker, string Reason)> Judge(IReadOnlyList<WorkerSighting> sightings)
    {
        if (sightings.SingleOrDefault(sighting => sighting.Worker == watcher) is not { } self || self.HeartbeatAge > Watched)
        {
            absentSince.Clear();
            silentSince.Clear();
            return [];
        }
        var lost = new List<(WorkerSighting, string)>();
        foreach (var sighting in sightings.Where(sighting => sighting != self))
        {
            if (Lasts(absentSince, sighting, !sighting.Present) && sighting.HeartbeatAge > Watched)
                lost.Add((sighting, "its worker died"));
            else if (Lasts(silentSince, sighting, sighting.HeartbeatAge > lease))
                lost.Add((sighting, $"its worker was silent for longer than {lease.TotalSeconds:0} s"));
        }
        var seen = sightings.Select(sighting => sighting.Worker).ToHashSet();
        foreach (var since in new[] { absentSince, silentSince })
        foreach (var gone in since.Keys.Except(seen).ToList())
            since.Remove(gone);
        return lost;
    }

    /// <summary>Whether a symptom was seen without a break for at least <see cref="Watched"/>.</summary>
    private static bool Lasts(Dictionary<Guid, DateTimeOffset> since, WorkerSighting sighting, bool symptom)
    {
        if (!symptom)
        {
            since.Remove(sighting.Worker);
            return false;
        }
        since.TryAdd(sighting.Worker, sighting.SeenAt);
        return sighting.SeenAt - since[sighting.Worker] >= Watched;
    }
}
