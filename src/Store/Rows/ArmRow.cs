using Temper.Domain.Jobs;
using Temper.Domain.Smoothing;

namespace Temper.Store.Rows;

/// <summary>One combination of a study's grid; see <see cref="Domain.Studies.Arm"/>.</summary>
public sealed class ArmRow
{
    public Guid StudyId { get; init; }

    /// <summary>Number within the study, from 0.</summary>
    public int Arm { get; init; }

    public double Epsilon { get; init; }
    public SmoothingConvention Smoothing { get; init; }
    public double LearningRate { get; init; }
    public ModelName Model { get; init; }
    public double LabelNoise { get; init; }

    /// <summary>After how many seeds successive halving dropped it; null while it is in the race.</summary>
    public int? DroppedAtSeeds { get; init; }

    /// <summary>With how many seeds successive halving last compared it: each number of seeds is looked at once.</summary>
    public int ComparedAtSeeds { get; init; }
}
