namespace Temper.Simulation;

/// <summary>
/// Whether a living worker may lose its jobs. One fault at a time must cost nothing: a stall within its lease, a lost connection, a
/// network cut of a second, a lost message, any fault of the database. A longer stall or cut may cost a job, and so may a second
/// fault before the first is over.
/// </summary>
internal sealed class Health(World world)
{
    /// <summary>How long a fault has effects after its end.</summary>
    public static readonly TimeSpan Aftermath = TimeSpan.FromSeconds(4);

    private TimeSpan faultUntil,
        harmedUntil;

    /// <summary>Whether it ever held its presence lock: before, it is not safe yet.</summary>
    public bool WasPresent { get; set; }

    public bool MayLose => harmedUntil > world.Simulation.Now;

    private TimeSpan Now => world.Simulation.Now;

    /// <summary>A fault that costs nothing by itself.</summary>
    public void Fault(TimeSpan time)
    {
        if (MayLose || faultUntil > Now || world.Server.HasFault || !WasPresent)
            Harm(time);
        Note(time);
    }

    /// <summary>A fault that every worker meets.</summary>
    public void FaultOfAll(TimeSpan time, bool isSecond)
    {
        if (isSecond || MayLose || faultUntil > Now)
            Harm(time);
    }

    /// <summary>Not a fault in itself, but it makes another one worse.</summary>
    public void Note(TimeSpan time) => faultUntil = Later(faultUntil, Now + time + Aftermath);

    public void Harm(TimeSpan time) => harmedUntil = Later(faultUntil, Later(harmedUntil, Now + time + Aftermath));

    private static TimeSpan Later(TimeSpan one, TimeSpan other) => one > other ? one : other;
}
