namespace Temper.Domain.Workers;

/// <summary>A card of a worker, with the worker's slots that train on it.</summary>
/// <param name="Index">Number of the card in nvidia-smi, from 0.</param>
/// <param name="Uuid">Identifier that the driver gives the card, such as `GPU-8f1c…`.</param>
/// <param name="Name">Model of the card.</param>
/// <param name="MemoryTotalMiB">Memory of the card in MiB; null when nvidia-smi does not tell it.</param>
/// <param name="MemoryUsedMiB">Memory in use by all processes in MiB, at most some 20 s old; null when nvidia-smi does not tell
/// it.</param>
/// <param name="UtilizationPercent">0 to 100: how much of the last moment the card computed, as old as the memory in use; null when
/// nvidia-smi does not tell it.</param>
/// <param name="Slots">The most jobs that the worker runs on it at once.</param>
/// <param name="BusySlots">The jobs that the worker runs on it now.</param>
/// <param name="SetAsideReason">Why the worker starts no jobs on it for now; null when it does. The reason of a job that failed is
/// shown with the scope `admin` only.</param>
public sealed record WorkerDevice(
    int Index,
    string Uuid,
    string Name,
    int? MemoryTotalMiB,
    int? MemoryUsedMiB,
    int? UtilizationPercent,
    int Slots,
    int BusySlots,
    string? SetAsideReason
);
