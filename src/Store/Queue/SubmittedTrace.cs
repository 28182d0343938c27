using System.Diagnostics;
using Npgsql;

namespace Temper.Store.Queue;

/// <summary>The trace of the request that submits jobs, which the jobs' attempts continue.</summary>
internal static class SubmittedTrace
{
    /// <summary>The parameter `traceparent`: null unless this process records a trace of the current request.</summary>
    public static NpgsqlParameter Parameter => JobQueue.Text("traceparent", Current);

    /// <summary>
    /// ASP.NET Core may begin an activity that nothing records, such as for a caller that sends a traceparent. Only one of a source
    /// with a listener is recorded.
    /// </summary>
    private static string? Current => Activity.Current is { Recorded: true } span && span.Source.HasListeners() ? span.Id : null;
}
