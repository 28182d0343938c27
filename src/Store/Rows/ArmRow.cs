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

    /// <summary>See <see cref="Domain.Studies.ArmSettings.Text"/>.</summary>
    public string Settings { get; init; } = "{}";

    /// <summary>The number of its finished seeds when successive halving dropped the arm; null while it is not dropped.</summary>
    public int? DroppedAtSeeds { get; init; }

    /// <summary>
    /// The number of seeds at which successive halving last compared the arm. It compares arms once at each number of seeds.
    /// </summary>
    public int ComparedAtSeeds { get; init; }
}
