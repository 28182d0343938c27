namespace Temper.Harness.Chaos;

public enum FaultKind
{
    WorkerKilled,
    RunnerKilled,
    ApiKilled,

    /// <summary>The worker is stopped for less than its lease and keeps its job.</summary>
    WorkerStalled,

    /// <summary>The worker is stopped until its job was taken away, then continues.</summary>
    WorkerStalledBeyondLease,

    RunnerStalled,

    /// <summary>The worker receives SIGTERM, hands its job back and exits.</summary>
    WorkerToldToStop,

    DatabaseRestarted,
    DatabaseCrashed,
    WorkerCutOff,
    BackendsTerminated,
    ApiCutOff,

    /// <summary>Hangfire's tables are locked; the jobs table is not.</summary>
    HangfireLocked,

    /// <summary>An operator requeues and deletes Hangfire's jobs on its dashboard.</summary>
    OperatorMeddles,
}

/// <summary>One fault.</summary>
/// <param name="At">Time since the start of the faults.</param>
/// <param name="Target">Index of the worker or backend, from 0, modulo their number. The fault hits the next worker from there
/// that trains a job, else the next one that it can hit at all.</param>
/// <param name="Lasts">Duration of a stall, cut or lock; zero for a fault without a duration.</param>
public sealed record Fault(int Number, TimeSpan At, FaultKind Kind, int Target, TimeSpan Lasts)
{
    public override string ToString() =>
        $"{Number, 4} {At.TotalSeconds, 8:F2} s  {Kind, -24} target "
        + $"{Target}{(Lasts > TimeSpan.Zero ? $", lasts {Lasts.TotalSeconds:F2} s" : "")}";
}
