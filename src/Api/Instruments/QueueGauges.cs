using System.Diagnostics;
using System.Diagnostics.Metrics;
using Npgsql;
using Temper.Domain.Jobs;
using Temper.Store;
using Temper.Store.Queue;
using Temper.Store.Tenants;

namespace Temper.Api.Instruments;

/// <summary>
/// The gauges that are read from the database when somebody reads the metrics, in one statement, at most every five seconds. During
/// an outage only <c>temper.database.up</c> has a value.
/// </summary>
internal sealed class QueueGauges : IHostedService, IDisposable
{
    public const string Name = "Temper.Api";

    private const string Depth = "temper.queue.depth",
        OldestAge = "temper.queue.oldest.age",
        Running = "temper.jobs.running";

    /// <summary>The metrics that have labels of tenants.</summary>
    public static IReadOnlyCollection<string> ByTenant { get; } = [Depth, OldestAge, Running];

    private static readonly TimeSpan Fresh = TimeSpan.FromSeconds(5);

    private static readonly string[] Devices = [.. Enum.GetValues<DeviceName>().Select(device => device.ToString().ToLowerInvariant())];

    private readonly JobQueue queue;
    private readonly ILogger<QueueGauges> log;
    private readonly Meter meter = new(Name);
    private readonly Lock gate = new();
    private QueueLoad? load;
    private bool up;
    private long readAt;

    public QueueGauges(JobQueue queue, ILogger<QueueGauges> log)
    {
        (this.queue, this.log) = (queue, log);
        meter.CreateObservableGauge(Depth, () => Jobs(JobState.Queued, one => one.Jobs), "{job}", "Queued jobs");
        meter.CreateObservableGauge(OldestAge, () => Jobs(JobState.Queued, one => one.OldestSeconds), "s", "Longest wait of a job");
        meter.CreateObservableGauge(Running, () => Jobs(JobState.Running, one => one.Jobs), "{job}", "Running jobs");
        meter.CreateObservableGauge("temper.workers", () => Workers(one => one.Workers), "{worker}", "Workers by state");
        meter.CreateObservableGauge("temper.workers.slots", () => Workers(one => one.Slots), "{slot}", "Slots of the workers by state");
        meter.CreateObservableGauge("temper.database.size", Size, "By", "Size of the database on its disk");
        meter.CreateObservableGauge(
            "temper.database.up",
            () => Read() is var _ && up ? 1 : 0,
            "1",
            "Whether the database answers this API"
        );
    }

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public void Dispose() => meter.Dispose();

    /// <summary>A value for each tenant and device with jobs, and a 0 of the default tenant for a device without any.</summary>
    private IEnumerable<Measurement<T>> Jobs<T>(JobState state, Func<JobLoad, T> value)
        where T : struct
    {
        if (Read() is not { } now)
            yield break;
        var jobs = now.Jobs.Where(one => one.State == state).ToList();
        foreach (var one in jobs)
            yield return new(value(one), new("tenant", one.Tenant), new("device", one.Device));
        foreach (var idle in Devices.Except(jobs.Select(one => one.Device)))
            yield return new(default, new("tenant", TenantStore.Default), new("device", idle));
    }

    private IEnumerable<Measurement<long>> Workers(Func<WorkerLoad, long> value)
    {
        if (Read() is not { } now)
            yield break;
        foreach (var one in now.Workers)
            yield return new(value(one), new("device", one.Device), new("state", one.State));
        // An alert on too few workers needs a number when there are none.
        if (!now.Workers.Any(one => one.State == "alive"))
            yield return new(0, new("device", "cpu"), new("state", "alive"));
    }

    private IEnumerable<Measurement<long>> Size() => Read() is { } now ? [new(now.DatabaseBytes)] : [];

    /// <returns>Null when the database did not answer.</returns>
    private QueueLoad? Read()
    {
        lock (gate)
        {
            if (readAt != 0 && Stopwatch.GetElapsedTime(readAt) < Fresh)
                return load;
            try
            {
                (load, up) = (queue.ReadLoad(), true);
            }
            catch (Exception e) when (e is NpgsqlException || Outage.Behind(e) is not null)
            {
                (load, up) = (null, Outage.Behind(e) is null);
                log.LogWarning("The queue's metrics cannot be read: {Reason}", e.Message);
            }
            readAt = Stopwatch.GetTimestamp();
            return load;
        }
    }
}
