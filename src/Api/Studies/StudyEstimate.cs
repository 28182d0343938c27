using Temper.Store.Studies;

namespace Temper.Api.Studies;

/// <summary>What a study is likely to cost, from earlier jobs like its own.</summary>
/// <param name="Jobs">That are to run: arms × seeds of a new study, what is left of an extended one.</param>
/// <param name="EarlierJobs">Succeeded jobs with its data set, models, batch size and widths that this rests on, the latest 50 a
/// model and kind of device at most.</param>
/// <param name="MinutesPerJob">From claim to end, all attempts together, over its models, on the slots there are; null where a
/// model has no earlier jobs on one of the kinds of device.</param>
/// <param name="TrainingMinutes">Over those jobs; `budget.maxMinutes` bounds these and all that were used before. Null as above.</param>
/// <param name="Slots">Of the workers alive now that can run its jobs.</param>
/// <param name="Minutes">Until it is done, if all those slots work on nothing else; null as above, or without a slot.</param>
/// <param name="ByDevice">The same by kind of device; without a worker, the kinds that earlier jobs ran on.</param>
/// <param name="Note">Why a figure is null; null when none is.</param>
public sealed record StudyEstimate(
    int Jobs,
    int EarlierJobs,
    double? MinutesPerJob,
    double? TrainingMinutes,
    int Slots,
    double? Minutes,
    IReadOnlyList<DeviceEstimate> ByDevice,
    string? Note
)
{
    internal static StudyEstimate Of(int jobs, IReadOnlyList<DeviceEstimate> devices)
    {
        var slots = devices.Sum(device => device.Slots);
        double? minutes =
            devices.Count == 0 || devices.Any(device => device.MinutesPerJob is null)
                ? null
                // A fast device takes more of the jobs: rates add up.
                : devices.Sum(device => device.Weight(slots)) / devices.Sum(device => device.Weight(slots) / device.MinutesPerJob);
        var untried = devices.Where(device => device.MinutesPerJob is null).Select(device => $" on {device.Device}").ToList();
        var notes = new List<string>();
        if (minutes is null)
            notes.Add(
                "No job with this data set, batch size and widths has succeeded yet with each of the "
                    + $"models{string.Join(" and", untried)}, so there is nothing to estimate from."
            );
        if (slots == 0)
            notes.Add("No worker that could run these jobs is alive, so there is no telling when they will be done.");
        return new(
            jobs,
            devices.Sum(device => device.EarlierJobs),
            minutes,
            minutes * jobs,
            slots,
            slots == 0 ? null : minutes * Math.Ceiling((double)jobs / slots),
            devices,
            notes.Count == 0 ? null : string.Join(" ", notes)
        );
    }
}

/// <summary>What jobs cost on one kind of device.</summary>
/// <param name="Device">`cpu` or `cuda`.</param>
/// <param name="Slots">Of the workers alive that would train on it.</param>
/// <param name="EarlierJobs">Jobs that ran on it and that this rests on.</param>
/// <param name="MinutesPerJob">Over the study's models; null where one of them has no earlier jobs on it.</param>
public sealed record DeviceEstimate(string Device, int Slots, int EarlierJobs, double? MinutesPerJob)
{
    internal static DeviceEstimate Of(
        string device,
        int slots,
        int epochs,
        IReadOnlyList<IReadOnlyDictionary<string, EarlierTimes>> byModel
    )
    {
        EarlierTimes[] known = [.. byModel.Select(model => model.GetValueOrDefault(device)).OfType<EarlierTimes>()];
        return new(
            device,
            slots,
            known.Sum(times => times.Jobs),
            known.Length < byModel.Count ? null : known.Average(times => times.SecondsPerEpoch) * epochs / 60
        );
    }

    /// <summary>Its share of the work: by slots, or where nobody has any, by the jobs it has done.</summary>
    internal int Weight(int allSlots) => allSlots > 0 ? Slots : EarlierJobs;
}
