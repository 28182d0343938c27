using Temper.Domain.Jobs;

namespace Temper.Worker.Training;

/// <summary>The loss, a logit or a weight is not finite. The same spec would diverge again.</summary>
internal sealed class TrainingDivergedException(int epoch)
    : Exception($"{Divergence.Reason} in epoch {epoch}: the loss is no longer a finite number. A smaller learningRate usually helps.");
