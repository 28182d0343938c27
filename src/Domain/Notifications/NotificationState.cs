namespace Temper.Domain.Notifications;

/// <summary>The state of the notification of an end.</summary>
public enum NotificationState
{
    /// <summary>It is sent now, or waits to be sent or sent again.</summary>
    Pending,

    /// <summary>Final: the receiver answered a try with a 2xx status.</summary>
    Delivered,

    /// <summary>Final: the last try failed.</summary>
    Abandoned,
}
