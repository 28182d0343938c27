namespace Temper.Simulation;

/// <summary>
/// Whether a living worker may lose its jobs. A single fault must cost no job: a stall within the lease, a lost connection, a
/// network cut of up to a second, a lost message, any fault of the database. A longer stall or cut may cost a job, and so may a
/// second fault before the first is over.
/// </summary>
internal sealed class Health(World world)
{
    /// <summary>How long a fault still has effects after it ends.</summary>
    public static readonly TimeSpan Aftermath = TimeSpan.FromSeconds(4);

    private TimeSpan faultUntil,
        harmedUntil;

    /// <summary>Whether the worker ever held its presence lock. Until then a single fault may cost it a job.</summary>
    public bool WasPresent { get; set; }

    public bool MayLose => harmedUntil > world.Simulation.Now;

    private TimeSpan Now => world.Simulation.Now;

    /// <summary>Records a fault that by itself must cost no job.</summary>
    public void Fault(TimeSpan time)
    {
        if (MayLose || faultUntil > Now || world.Server.HasFault || !WasPresent)
            Harm(time);
        Note(time);
    }

    /// <summary>Records a fault that affects every worker.</summary>
    public void FaultOfAll(TimeSpan time, bool isSecond)
    {
        if (isSecond || MayLose || faultUntil > Now)
            Harm(time);
    }

    /// <summary>Records an event that is not a fault in itself but makes another fault worse.</summary>
    public void Note(TimeSpan time) => faultUntil = Later(faultUntil, Now + time + Aftermath);

    public void Harm(TimeSpan time) => harmedUntil = Later(faultUntil, Later(harmedUntil, Now + time + Aftermath));

    private static TimeSpan Later(TimeSpan one, TimeSpan other) => one > other ? one : other;
}
