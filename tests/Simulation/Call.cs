using Temper.Harness.Model;
using Temper.Store.Queue;

namespace Temper.Simulation;

/// <summary>What a statement does, for the invariant checker and the log.</summary>
/// <param name="Worker">Who sent it; of a rescue, from whom.</param>
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
    Cancel,
    Pause,
    Resume,
    Retry,
    Delete,
}

/// <summary>What a caller hears.</summary>
/// <param name="Came">False: the connection broke, and the statement took effect or did not.</param>
internal readonly record struct Answer<T>(bool Came, T? Value);

/// <summary>How a message fares on its way.</summary>
/// <param name="ThereSeconds">Until it reaches the server; infinite when it never does.</param>
/// <param name="BackSeconds">Until the answer is back; infinite when it is lost.</param>
/// <param name="BreaksAfterSeconds">When the caller's end of the connection breaks; infinite when it holds.</param>
internal readonly record struct Fate(double ThereSeconds, double BackSeconds, double BreaksAfterSeconds);

/// <summary>
/// One statement, from its sending to its answer. Each of the two ways may take long or fail, and the server may go down
/// in between.
/// </summary>
internal sealed class Call<T>(World world, Process caller, Session? session, Statement what, Func<TwinQueue, T> statement) : Pending(caller)
{
    /// <summary>A heartbeat's own; others wait longer than a schedule lasts.</summary>
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

    /// <summary>First the request arrives, then the answer.</summary>
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
