using Temper.Domain.Jobs;

namespace Temper.Worker.Training;

internal static class LearningRate
{
    /// <summary>The learning rate of one epoch; epochs count from 1.</summary>
    public static double Of(JobSpec spec, int epoch) =>
        spec.LearningRate
        * Warmth(spec, epoch)
        * spec.Schedule switch
        {
            ScheduleName.Cosine => (1 + Math.Cos(Math.PI * (epoch - 1) / spec.Epochs)) / 2,
            // He et al. 2016 divide by 10 at 32,000 and at 48,000 of 64,000 steps.
            ScheduleName.Step => 4 * (epoch - 1) >= 3 * spec.Epochs ? 0.01
            : 2 * (epoch - 1) >= spec.Epochs ? 0.1
            : 1,
            ScheduleName.Linear => 1 - (epoch - 1.0) / spec.Epochs,
            _ => 1,
        };

    /// <summary>The warm-up factor. It rises in equal steps and is 1 from the first epoch after the warm-up.</summary>
    private static double Warmth(JobSpec spec, int epoch) => Math.Min(1, epoch / (spec.WarmupEpochs + 1.0));
}
