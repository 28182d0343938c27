using System.Diagnostics;
using OpenTelemetry;

namespace Temper.Telemetry;

/// <summary>
/// Drops the spans of statements that belong to no request and no attempt. Heartbeats, looks for work and Hangfire's polls run
/// several times a second, and each would be a trace of its own.
/// </summary>
internal sealed class LoneStatements : BaseProcessor<Activity>
{
    /// <summary>The exporter, which is added later, takes only recorded spans.</summary>
    public override void OnEnd(Activity span)
    {
        if (span is { Kind: ActivityKind.Client, ParentSpanId: var parent } && parent == default)
            span.ActivityTraceFlags &= ~ActivityTraceFlags.Recorded;
    }
}
