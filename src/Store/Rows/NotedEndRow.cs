namespace Temper.Store.Rows;

/// <summary>
/// A note that the end of a job or of a study may have to be notified of. A trigger writes it in the transaction of the end, and
/// the collection of notifications deletes it. It has no foreign key, whose lock on the study could deadlock with the study's changes.
/// </summary>
public sealed class NotedEndRow
{
    public long Id { get; init; }

    /// <summary>A job with `notify` that ended; null when it has none.</summary>
    public Guid? JobId { get; init; }

    /// <summary>A study with `notify`, one of whose jobs ended or was deleted before its end; null when there is none.</summary>
    public Guid? StudyId { get; init; }
}
