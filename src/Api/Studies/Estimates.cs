using Microsoft.EntityFrameworkCore;
using Temper.Domain.Studies;
using Temper.Store;
using Temper.Store.Rows;
using Temper.Store.Studies;

namespace Temper.Api.Studies;

/// <summary>What a study is likely to cost.</summary>
internal sealed class Estimates(StudyReader reader, TemperDb db)
{
    /// <param name="left">How many jobs are to run; all of them when null.</param>
    public async Task<StudyEstimate> OfAsync(StudySpec study, CancellationToken cancellation, int? left = null)
    {
        var models = study.Models ?? [study.Job.Model];
        double? seconds = 0;
        var (earlier, notes) = (0, new List<string>());
        foreach (var model in models)
        {
            var (secondsPerEpoch, jobs) = await reader.TimesAsync(study.Job with { Model = model }, cancellation);
            seconds += secondsPerEpoch * study.Job.Epochs / models.Count;
            earlier += jobs;
            if (secondsPerEpoch is null) notes.Add($"No job with {study.Job.Dataset}, {Json.Name(model)}, this batch size and these widths has succeeded here yet; from the first one on its time is known.");
        }
        var count = left ?? (int)(study.CountArms() * study.Seeds!.Count);
        var slots = await db.Workers.Where(WorkerRow.IsAlive).Where(worker => worker.SuspendedReason == null).SumAsync(worker => worker.Slots, cancellation);
        if (slots == 0) notes.Add("No worker that takes jobs is alive now.");
        var minutes = seconds / 60;
        return new(count, earlier, minutes, minutes * count, slots, slots == 0 ? null : minutes * Math.Ceiling((double)count / slots), notes.Count == 0 ? null : string.Join(" ", notes));
    }
}
