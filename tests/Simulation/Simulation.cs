using System.Runtime.CompilerServices;
using Temper.Domain;

namespace Temper.Simulation;

/// <summary>
/// A clock that only events advance, and the agenda of events. The seed determines every random draw, so a seed identifies a
/// schedule and replays it exactly. There is one thread: an event runs to its end before the next begins.
/// </summary>
internal sealed class Simulation(long seed, Action<string>? log = null)
{
    private static readonly DateTimeOffset Start = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);

    private readonly PriorityQueue<Happening, long> agenda = new(64);
    private long order;

    public TimeSpan Now { get; private set; }

    /// <summary>The database's clock, the only one that the protocol reads.</summary>
    public DateTimeOffset DatabaseTime => Start + Now;

    public SplitMix64 Random { get; } = new(seed, 0);

    /// <summary>Number of events so far.</summary>
    public int Events { get; private set; }

    public bool IsLogged => log is not null;

    public void Log(string what) => log?.Invoke($"{Now.TotalSeconds, 8:F3} s  {what}");

    public void After(TimeSpan delay, Happening what) => agenda.Enqueue(what, ((Now + delay).Ticks << 20) | (++order & 0xFFFFF));

    public void After(TimeSpan delay, Action what) => After(delay, new Deed(what));

    /// <returns>False when no event is left.</returns>
    public bool Step()
    {
        if (!agenda.TryDequeue(out var next, out var at))
            return false;
        Now = TimeSpan.FromTicks(at >> 20);
        Events++;
        next.Happen();
        return true;
    }

    public bool Chance(double probability) => Random.NextDouble() < probability;

    public TimeSpan Between(double fromSeconds, double toSeconds) =>
        TimeSpan.FromTicks((long)(Random.NextDouble(fromSeconds, toSeconds) * TimeSpan.TicksPerSecond));

    private sealed class Deed(Action what) : Happening
    {
        public override void Happen() => what();
    }
}

/// <summary>An event on the agenda.</summary>
internal abstract class Happening
{
    public abstract void Happen();
}

/// <summary>A process of the simulated world. It continues from a wait only while it is alive and not stopped.</summary>
internal class Process(Simulation simulation)
{
    private readonly List<Action> held = [];

    public Simulation Simulation { get; } = simulation;

    public bool IsAlive { get; private set; } = true;

    /// <summary>Whether it is stopped, as by SIGSTOP.</summary>
    public bool IsStopped { get; private set; }

    public void Resume(Action continuation)
    {
        if (!IsAlive)
            return;
        if (IsStopped)
            held.Add(continuation);
        else
            continuation();
    }

    public void Stop() => IsStopped = true;

    /// <summary>
    /// Runs every continuation that became due meanwhile, in random order, because the threads of a real process race.
    /// </summary>
    public void Continue()
    {
        if (!IsStopped)
            return;
        IsStopped = false;
        var due = held.ToArray();
        held.Clear();
        Simulation.Random.Shuffle<Action>(due);
        foreach (var continuation in due)
            Resume(continuation);
    }

    /// <summary>Kills the process as kill -9 does: none of its continuations runs any more.</summary>
    public virtual void Kill() => IsAlive = false;

    public Signal.Wait Delay(TimeSpan time) => new Signal(this).WaitAsync(time);
}

/// <summary>The object of an `await`: an event completes it, and it then resumes its process.</summary>
internal abstract class Pending(Process process) : Happening, ICriticalNotifyCompletion
{
    private Action? continuation;

    public bool IsCompleted => false;

    protected Process Process { get; } = process;

    public void OnCompleted(Action next) => continuation = next;

    public void UnsafeOnCompleted(Action next) => continuation = next;

    protected void Complete() => Process.Resume(continuation!);
}

/// <summary>Wakes every waiter when it is raised; a waiter also wakes when its time limit passes.</summary>
internal sealed class Signal(Process process)
{
    private readonly List<Wait> waiting = [];

    private bool kept;

    /// <summary>How often the signal was raised for all. A process that reads this before it looks for work misses no signal.</summary>
    public int Count { get; private set; }

    public void Raise()
    {
        Count++;
        foreach (var wait in waiting)
            wait.Raise();
        waiting.Clear();
    }

    /// <summary>Wakes one waiter, any of them. When none waits, the next wait ends at once.</summary>
    public void RaiseOne()
    {
        waiting.RemoveAll(earlier => earlier.IsOver);
        if (waiting.Count == 0)
            kept = true;
        else
            waiting[process.Simulation.Random.NextInt32(waiting.Count)].Raise();
    }

    public Wait WaitAsync(TimeSpan atMost)
    {
        var wait = new Wait(process);
        waiting.RemoveAll(earlier => earlier.IsOver);
        waiting.Add(wait);
        if (kept)
            wait.Raise();
        kept = false;
        process.Simulation.After(atMost, wait);
        return wait;
    }

    internal sealed class Wait(Process process) : Pending(process)
    {
        public bool IsOver { get; private set; }

        public Wait GetAwaiter() => this;

        public void GetResult() { }

        public void Raise()
        {
            if (IsOver)
                return;
            IsOver = true;
            Process.Simulation.After(TimeSpan.Zero, Complete);
        }

        public override void Happen()
        {
            if (IsOver)
                return;
            IsOver = true;
            Complete();
        }
    }
}
