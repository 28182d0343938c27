namespace Temper.Unit.Model;

/// <summary>
/// Whether a worker that is alive may lose its jobs by right. One trouble at a time is promised to cost nothing: a stall within
/// its lease, a lost connection, a cut of a second, a lost message, whatever happens to the database. A longer stall or cut may
/// cost it, and so may a second trouble before the first is over.
/// </summary>
internal sealed class Health(World world)
{
    /// <summary>How long a trouble is felt after its end.</summary>
    public static readonly TimeSpan Aftermath = TimeSpan.FromSeconds(4);

    private TimeSpan troubledUntil, harmedUntil;

    /// <summary>Whether it ever held its presence lock: before, it is not safe yet.</summary>
    public bool WasPresent { get; set; }

    public bool MayLose => harmedUntil > world.Simulation.Now;

    private TimeSpan Now => world.Simulation.Now;

    /// <summary>A trouble that costs nothing by itself.</summary>
    public void Trouble(TimeSpan time)
    {
        if (MayLose || troubledUntil > Now || world.Server.IsTroubled || !WasPresent) Harm(time);
        Note(time);
    }

    /// <summary>A trouble of everybody's.</summary>
    public void TroubleOfAll(TimeSpan time, bool isSecond)
    {
        if (isSecond || MayLose || troubledUntil > Now) Harm(time);
    }

    /// <summary>Not a trouble in itself, but it would make another one worse.</summary>
    public void Note(TimeSpan time) => troubledUntil = Later(troubledUntil, Now + time + Aftermath);

    public void Harm(TimeSpan time) => harmedUntil = Later(troubledUntil, Later(harmedUntil, Now + time + Aftermath));

    private static TimeSpan Later(TimeSpan one, TimeSpan other) => one > other ? one : other;
}
