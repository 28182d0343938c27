using Temper.Harness.Model;
using Temper.Store.Queue;

namespace Temper.Simulation;

/// <summary>A statement as the invariant checker and the log see it.</summary>
/// <param name="Worker">The worker that sent the statement; for a rescue, the worker that loses its jobs.</param>
internal readonly record struct Statement(
    Deed Deed,
    Guid Worker = default,
    Guid Job = default,
    int Attempt = 0,
    WorkerSighting? Sighting = null,
    bool Fresh = false
)
{
    public bool OnlyReads => Deed is Deed.Watch or Deed.Lock or Deed.ReadCheckpoint;
}

internal enum Deed
{
    Submit,
    Claim,
    Tell,
    TellOver,
    Sweep,
    Beat,
    Start,
    Report,
    ReadCheckpoint,
    Succeed,
    Fail,
    GiveBack,
    HandBack,
    HandBackUnknown,
    Lock,
    Watch,
    Rescue,
    HandBackAll,
    DeleteWorker,
    Forget,
    Drain,
    Undrain,
    Cancel,
    Pause,
    Resume,
    Retry,
    Delete,
}

/// <summary>The answer that the caller receives.</summary>
/// <param name="Came">False when the connection broke; the statement may or may not have taken effect.</param>
internal readonly record struct Answer<T>(bool Came, T? Value);

/// <summary>The delays and losses of one message.</summary>
/// <param name="ThereSeconds">Seconds until the request reaches the server; infinite when it never does.</param>
/// <param name="BackSeconds">Seconds that the answer takes on its way back; infinite when it is lost.</param>
/// <param name="BreaksAfterSeconds">Seconds until the caller's end of the connection breaks; infinite when it holds.</param>
internal readonly record struct Fate(double ThereSeconds, double BackSeconds, double BreaksAfterSeconds);

/// <summary>
/// One statement, from its sending to its answer. The request and the answer can each be slow or lost, and the server may go down
/// in between.
/// </summary>
internal sealed class Call<T>(World world, Process caller, Session? session, Statement what, Func<TwinQueue, T> statement) : Pending(caller)
{
    /// <summary>The timeout of a heartbeat. Other statements wait longer than a schedule lasts.</summary>
    private const double HeartbeatTimeoutSeconds = 5;

    private readonly int life = world.Server.Lives;
    private double backSeconds;
    private bool isExecuted,
        isOver;
    private Answer<T> answer;

    public Call<T> GetAwaiter() => this;

    public Answer<T> GetResult() => answer;

    public Call<T> Send()
    {
        var fate = world.FaultSchedule.FateOf(Process);
        backSeconds = fate.BackSeconds;
        if (what.Deed == Deed.Beat && fate.ThereSeconds + fate.BackSeconds > HeartbeatTimeoutSeconds)
            fate = fate with { BreaksAfterSeconds = Math.Min(fate.BreaksAfterSeconds, HeartbeatTimeoutSeconds) };
        if (double.IsFinite(fate.BreaksAfterSeconds))
            world.Simulation.After(TimeSpan.FromSeconds(fate.BreaksAfterSeconds), Break);
        if (double.IsFinite(fate.ThereSeconds))
            world.Simulation.After(TimeSpan.FromSeconds(fate.ThereSeconds), this);
        return this;
    }

    /// <summary>The first call executes the request at the server; the second delivers the answer.</summary>
    public override void Happen()
    {
        if (isExecuted)
            Answer(new(true, answer.Value));
        else if (!CanReach())
            Break();
        else
            Execute();
    }

    private bool CanReach() =>
        world.Server.IsUp
        && world.Server.Lives == life
        && !(world.Server.Engine.Refuse && what.Deed is Deed.Tell or Deed.TellOver or Deed.Sweep)
        && (!world.Server.IsFull || what.OnlyReads)
        && (session is null or { IsOpen: true, IsBroken: false })
        && !world.FaultInjector.IsCut(Process);

    private void Execute()
    {
        isExecuted = true;
        try
        {
            answer = new(false, statement(world.Server.Queue));
        }
        catch (ForeignKeyException)
        {
            Break();
            return;
        }
        if (world.InvariantChecker.Saw(what, answer.Value))
            world.FaultSchedule.AfterChange(Process);
        if (double.IsFinite(backSeconds))
            world.Simulation.After(TimeSpan.FromSeconds(backSeconds), this);
    }

    private void Break() => Answer(default);

    private void Answer(Answer<T> heard)
    {
        if (isOver)
            return;
        isOver = true;
        answer = heard with { Came = heard.Came && world.Server.Lives == life && !world.FaultInjector.IsCut(Process) };
        Complete();
    }
}
