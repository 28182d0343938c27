using Temper.Domain.Jobs;

namespace Temper.Worker.Training;

internal static class LearningRate
{
    /// <summary>The rate of one epoch, from 1.</summary>
    public static double Of(JobSpec spec, int epoch) => spec.Schedule switch
    {
        ScheduleName.Cosine => spec.LearningRate * (1 + Math.Cos(Math.PI * (epoch - 1) / spec.Epochs)) / 2,
        _ => spec.LearningRate,
    };
}
