namespace Temper.Store.Rows;

/// <summary>Where the training of a job that has not succeeded yet can go on from: the last one only.</summary>
public sealed class CheckpointRow
{
    public Guid JobId { get; init; }

    /// <summary>The runner's own format.</summary>
    public required byte[] Data { get; init; }
}
