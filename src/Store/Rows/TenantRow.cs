namespace Temper.Store.Rows;

/// <summary>The quotas of a tenant. A tenant without a row has none; null is unlimited.</summary>
public sealed class TenantRow
{
    public required string Name { get; init; }

    /// <summary>The most jobs that may be queued after a submission.</summary>
    public int? MaxQueued { get; init; }

    /// <summary>The most jobs that run at once.</summary>
    public int? MaxRunning { get; init; }

    /// <summary>No job begins in a calendar month (UTC) once the attempts have taken this many seconds.</summary>
    public long? MaxDeviceSecondsPerMonth { get; init; }

    /// <summary>The most bytes of uploaded data sets and evaluations after an upload.</summary>
    public long? MaxUploadedBytes { get; init; }
}

/// <summary>What the attempts of a tenant took that ended in a month. Deleted jobs are included.</summary>
public sealed class TenantUsageRow
{
    /// <summary>First day of the month, UTC.</summary>
    public DateOnly Month { get; init; }

    public required string Tenant { get; init; }

    /// <summary>
    /// A number of the connection, 0 to 7. Attempts that end at the same time on different connections rarely wait for each other.
    /// </summary>
    public short Part { get; init; }

    /// <summary>Seconds from the claims to the ends of the attempts.</summary>
    public double DeviceSeconds { get; init; }

    /// <summary>When the last of these attempts was claimed.</summary>
    public DateTimeOffset LastClaimed { get; init; }
}
