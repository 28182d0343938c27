namespace Temper.Store.Rows;

/// <summary>What a succeeded job left behind; see <see cref="Domain.Jobs.TrainedModel"/>. The logits' columns are null together.</summary>
public sealed class ModelRow
{
    public Guid JobId { get; init; }

    /// <summary>Null once retention has removed them.</summary>
    public byte[]? Weights { get; init; }

    public int? Classes { get; init; }
    public byte[]? ValidationLogits { get; init; }
    public byte[]? ValidationLabels { get; init; }
    public byte[]? TestLogits { get; init; }
    public byte[]? TestLabels { get; init; }
    public byte[]? TrueProbabilities { get; init; }
}
