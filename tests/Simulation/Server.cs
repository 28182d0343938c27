using Temper.Harness.Model;

namespace Temper.Simulation;

/// <summary>
/// PostgreSQL as its clients meet it: statements one at a time, sessions with their locks, and outages. What was
/// committed stays.
/// </summary>
internal sealed class Server(Simulation simulation, TwinQueue queue)
{
    private readonly Dictionary<Guid, Session> locks = [];
    private readonly List<Session> sessions = [];

    public TwinQueue Queue { get; } = queue;

    public EngineTables Engine { get; } = new();

    public bool IsUp { get; private set; } = true;

    /// <summary>Its disk is full: it answers, and stores nothing.</summary>
    public bool IsFull { get; set; }

    /// <summary>Until everybody is over the last time that it was down, or full; see <see cref="Health"/>.</summary>
    public TimeSpan FaultUntil { get; set; }

    public TimeSpan WasFullUntil { get; set; }

    public bool HasFault => FaultUntil > simulation.Now;

    /// <summary>How often it went down: a connection belongs to one life of the server.</summary>
    public int Lives { get; private set; }

    public IReadOnlyList<Session> Sessions => sessions;

    public void GoDown()
    {
        IsUp = false;
        Lives++;
        foreach (var session in sessions.ToArray())
            Close(session);
    }

    public void ComeUp() => IsUp = true;

    public Session Open(SimulatedWorker worker)
    {
        var session = new Session(worker);
        sessions.Add(session);
        return session;
    }

    /// <summary>The server's end: what the session had locked is free.</summary>
    public void Close(Session session)
    {
        session.IsOpen = false;
        sessions.Remove(session);
        foreach (var (key, holder) in locks)
            if (holder == session)
                locks.Remove(key);
    }

    /// <summary>pg_try_advisory_lock</summary>
    public bool TryLock(Guid key, Session session) => locks.TryAdd(key, session) || locks[key] == session;

    public bool IsLocked(Guid key) => locks.ContainsKey(key);
}

/// <summary>A worker's presence connection.</summary>
internal sealed class Session(SimulatedWorker worker)
{
    public SimulatedWorker Worker { get; } = worker;

    /// <summary>The server still has it; false also where the client has not noticed yet.</summary>
    public bool IsOpen { get; set; } = true;

    /// <summary>The client's end broke; the server may take a while to notice.</summary>
    public bool IsBroken { get; set; }
}
