using Temper.Store.Studies;

namespace Temper.Api.Studies;

/// <summary>The likely cost of a study, estimated from earlier jobs like its own.</summary>
/// <param name="Jobs">Jobs to run: arms × seeds of a new study, the remaining jobs of an extended one.</param>
/// <param name="EarlierJobs">Succeeded jobs with the study's data set, models, batch sizes and widths that the estimate uses: at
/// most the latest 50 of each combination and kind of device.</param>
/// <param name="MinutesPerJob">Minutes of a job from claim to end, all attempts together, over the study's arms and the
/// present slots; null when an arm has no earlier jobs like its own on one of the kinds of device.</param>
/// <param name="TrainingMinutes">Minutes of all jobs to run. `budget.maxMinutes` bounds these plus the minutes used before. Null
/// when `minutesPerJob` is null.</param>
/// <param name="Slots">Slots of the live workers that can run the study's jobs.</param>
/// <param name="Minutes">Minutes until the study is done, if all those slots run nothing else; null when `minutesPerJob` is null
/// or there is no slot.</param>
/// <param name="ByDevice">The estimate by kind of device. Without a worker, it lists the kinds that earlier jobs ran on.</param>
/// <param name="Note">Why a figure is null; null when no figure is.</param>
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
                // A fast device takes more of the jobs, so the rates are added.
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

/// <summary>The cost of jobs on one kind of device.</summary>
/// <param name="Device">`cpu` or `cuda`.</param>
/// <param name="Slots">Slots of the live workers that would train on it.</param>
/// <param name="EarlierJobs">Earlier jobs on it that the estimate uses.</param>
/// <param name="MinutesPerJob">Mean over the study's arms; null when one of them has no earlier jobs like its own on it.</param>
public sealed record DeviceEstimate(string Device, int Slots, int EarlierJobs, double? MinutesPerJob)
{
    internal static DeviceEstimate Of(string device, int slots, IReadOnlyList<ArmCosts> costs)
    {
        var times = costs.Select(arms => arms.Earlier.GetValueOrDefault(device)).ToList();
        return new(
            device,
            slots,
            times.Sum(earlier => earlier?.Jobs ?? 0),
            times.Contains(null)
                ? null
                : costs.Zip(times, (arms, earlier) => arms.Epochs * earlier!.SecondsPerEpoch).Sum() / costs.Sum(arms => arms.Arms) / 60
        );
    }

    /// <summary>Its share of the work: its slots, or its earlier jobs when no device has a slot.</summary>
    internal int Weight(int allSlots) => allSlots > 0 ? Slots : EarlierJobs;
}

/// <summary>The arms of a study whose epochs take the same time.</summary>
/// <param name="Earlier">Times of earlier jobs like theirs, by kind of device.</param>
/// <param name="Arms">Number of arms.</param>
/// <param name="Epochs">Epochs of one job of each arm, added up.</param>
internal sealed record ArmCosts(IReadOnlyDictionary<string, EarlierTimes> Earlier, int Arms, long Epochs);
