using Temper.Domain.Notifications;

namespace Temper.Store.Rows;

/// <summary>The notification of one end of a job or of a study. A job that is retried ends again and has another.</summary>
public sealed class NotificationRow
{
    public Guid Id { get; init; }

    /// <summary>The job that ended; null for the end of a study.</summary>
    public Guid? JobId { get; init; }

    /// <summary>The study that ended; null for the end of a job.</summary>
    public Guid? StudyId { get; init; }

    /// <summary>When the job, or the last job of the study, ended.</summary>
    public DateTimeOffset EndedAt { get; init; }

    /// <summary>What ended and how, such as `job.succeeded`.</summary>
    public required string Type { get; init; }

    public required string Address { get; init; }

    /// <summary>The JSON body, the same in every try.</summary>
    public required string Body { get; init; }

    public NotificationState State { get; init; }

    /// <summary>Number of tries so far.</summary>
    public int Attempts { get; init; }

    /// <summary>No try begins before this time. While a try is under way, it is the time at which it counts as lost.</summary>
    public DateTimeOffset NextTryAt { get; init; }

    /// <summary>A notification that is pending and not tried by this time gets another Hangfire job.</summary>
    public DateTimeOffset OverdueAt { get; init; }

    public DateTimeOffset CreatedAt { get; init; }

    public List<NotificationAttemptRow> History { get; init; } = [];
}

/// <summary>One try to send a notification.</summary>
public sealed class NotificationAttemptRow
{
    public Guid NotificationId { get; init; }

    /// <summary>Number of the try, from 1.</summary>
    public int Attempt { get; init; }

    public DateTimeOffset StartedAt { get; init; }

    /// <summary>How long it took; null while it is under way, and for good when its worker died.</summary>
    public double? Seconds { get; init; }

    /// <summary>The HTTP status of the answer; null when there was none.</summary>
    public int? Status { get; init; }

    /// <summary>Why it failed; null when it did not.</summary>
    public string? Error { get; init; }
}
