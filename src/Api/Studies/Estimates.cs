using Microsoft.EntityFrameworkCore;
using Temper.Domain.Jobs;
using Temper.Domain.Serialization;
using Temper.Domain.Studies;
using Temper.Store;
using Temper.Store.Rows;
using Temper.Store.Studies;

namespace Temper.Api.Studies;

/// <summary>Estimates the cost of a study.</summary>
internal sealed class Estimates(StudyReader reader, TemperDb db)
{
    /// <param name="tenant">Whose earlier jobs tell the times.</param>
    /// <param name="left">Number of jobs left to run; null for all jobs of the study.</param>
    public async Task<StudyEstimate> OfAsync(string tenant, StudySpec study, CancellationToken cancellation, int? left = null)
    {
        var specs = study.Arms().Select(arm => arm.On(study.Job)).ToList();
        var groups = specs.GroupBy(spec => (spec.Model, spec.BatchSize, spec.Width, spec.Corruptions ? spec.Epochs : 0)).ToList();
        var times = await reader.TimesAsync(tenant, [.. groups.Select(alike => alike.First())], cancellation);
        var costs = groups.Zip(times, (alike, earlier) => new ArmCosts(earlier, alike.Count(), alike.Sum(spec => spec.Epochs))).ToList();
        // An estimate does not tell apart which arms may run on which device.
        var device = specs.Select(spec => spec.Device).Distinct().ToList() is [var one] ? one : DeviceName.Auto;
        var slots = await SlotsAsync(device, cancellation);
        // Without a worker, the estimate uses the kinds of device that earlier jobs ran on.
        var kinds =
            slots.Count > 0
                ? slots.Keys
                : costs
                    .SelectMany(arms => arms.Earlier.Keys)
                    .Distinct()
                    .Where(kind => device == DeviceName.Auto || kind == Json.Name(device));
        var count = left ?? (int)(study.CountArms() * study.Seeds!.Count);
        return StudyEstimate.Of(count, [.. kinds.Order().Select(kind => DeviceEstimate.Of(kind, slots.GetValueOrDefault(kind), costs))]);
    }

    /// <returns>Slots of the live workers that can run such jobs, by the kind of device that they would train on.</returns>
    private async Task<Dictionary<string, int>> SlotsAsync(DeviceName device, CancellationToken cancellation)
    {
        var alive = await db
            .Workers.Where(WorkerRow.IsAlive)
            .Where(worker => worker.SuspendedReason == null && !worker.Draining)
            .Select(worker => new { worker.Device, worker.Slots })
            .ToListAsync(cancellation);
        return alive
            .Where(worker => device != DeviceName.Cuda || worker.Device == "cuda")
            .GroupBy(worker => device == DeviceName.Cpu ? "cpu" : worker.Device, worker => worker.Slots)
            .ToDictionary(kind => kind.Key, kind => kind.Sum());
    }
}
