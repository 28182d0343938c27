namespace Temper.Store.Rows;

/// <summary>The last checkpoint of a job that has not succeeded; the next attempt resumes the training from it.</summary>
public sealed class CheckpointRow
{
    public Guid JobId { get; init; }

    /// <summary>Bytes in the runner's format.</summary>
    public required byte[] Data { get; init; }
}
