namespace Temper.Store.Rows;

/// <summary>
/// The model of a succeeded job; see <see cref="Domain.Jobs.TrainedModel"/>. The columns from Classes to TestLabels are all null
/// or all set.
/// </summary>
public sealed class ModelRow
{
    public Guid JobId { get; init; }

    /// <summary>Null after retention has removed the weights.</summary>
    public byte[]? Weights { get; init; }

    public int? Classes { get; init; }
    public byte[]? ValidationLogits { get; init; }
    public byte[]? ValidationLabels { get; init; }
    public byte[]? TestLogits { get; init; }
    public byte[]? TestLabels { get; init; }
    public byte[]? TrueProbabilities { get; init; }
}
