using Temper.Harness.Model;

namespace Temper.Simulation;

/// <summary>
/// PostgreSQL as its clients see it: it executes statements one at a time, holds the locks of sessions, and has outages.
/// Committed changes persist.
/// </summary>
internal sealed class Server(Simulation simulation, TwinQueue queue)
{
    private readonly Dictionary<Guid, Session> locks = [];
    private readonly List<Session> sessions = [];

    public TwinQueue Queue { get; } = queue;

    public EngineTables Engine { get; } = new();

    public bool IsUp { get; private set; } = true;

    /// <summary>The disk is full: the server answers reads and refuses writes.</summary>
    public bool IsFull { get; set; }

    /// <summary>When the effects of the last outage or full disk are over; see <see cref="Health"/>.</summary>
    public TimeSpan FaultUntil { get; set; }

    public TimeSpan WasFullUntil { get; set; }

    public bool HasFault => FaultUntil > simulation.Now;

    /// <summary>How often the server went down. A connection ends when this number changes.</summary>
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

    /// <summary>Closes the session at the server, which releases the session's locks.</summary>
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

    /// <summary>Whether the server still has the session. It can be false before the client notices.</summary>
    public bool IsOpen { get; set; } = true;

    /// <summary>Whether the client's end broke. The server may take a while to notice.</summary>
    public bool IsBroken { get; set; }
}
