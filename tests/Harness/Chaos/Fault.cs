namespace Temper.Harness.Chaos;

public enum FaultKind
{
    WorkerKilled,
    RunnerKilled,
    ApiKilled,

    /// <summary>Stopped for less than its lease: it keeps its job.</summary>
    WorkerStalled,

    /// <summary>Stopped until its job was taken away, then let go on.</summary>
    WorkerStalledBeyondLease,

    RunnerStalled,

    /// <summary>SIGTERM: it hands its job back and leaves.</summary>
    WorkerToldToStop,

    DatabaseRestarted,
    DatabaseCrashed,
    WorkerCutOff,
    BackendsTerminated,
    ApiCutOff,

    /// <summary>Hangfire's tables are locked, the jobs table is not.</summary>
    HangfireLocked,

    /// <summary>Somebody requeues and deletes on Hangfire's dashboard what Hangfire runs and ran.</summary>
    OperatorMeddles,
}

/// <summary>One thing that goes wrong.</summary>
/// <param name="At">From the start of the faults.</param>
/// <param name="Target">Which worker or backend, counted from 0 and modulo their number: of those that train a job, else of those
/// that it can hit at all, the next one from there on.</param>
/// <param name="Lasts">Of stalls and cuts; zero for what happens at once.</param>
public sealed record Fault(int Number, TimeSpan At, FaultKind Kind, int Target, TimeSpan Lasts)
{
    public override string ToString() =>
        $"{Number, 4} {At.TotalSeconds, 8:F2} s  {Kind, -24} target "
        + $"{Target}{(Lasts > TimeSpan.Zero ? $", lasts {Lasts.TotalSeconds:F2} s" : "")}";
}
