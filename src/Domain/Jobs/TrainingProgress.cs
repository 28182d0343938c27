namespace Temper.Domain.Jobs;

/// <summary>The progress of a job's running attempt.</summary>
/// <param name="Epoch">The epoch being trained, from 1.</param>
/// <param name="Epochs">Total number of epochs.</param>
/// <param name="Step">Optimizer steps done in this epoch.</param>
/// <param name="Steps">Optimizer steps in an epoch.</param>
/// <param name="ImagesPerSecond">Training rate since the start of the epoch.</param>
/// <param name="SecondsLeft">Estimated time until the last epoch's training ends, at that rate.</param>
public sealed record TrainingProgress(int Epoch, int Epochs, int Step, int Steps, double ImagesPerSecond, double SecondsLeft);
