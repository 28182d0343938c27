using Temper.Api.Http;
using Temper.Store;
using Temper.Store.Audit;

namespace Temper.Api.Audit;

/// <summary>
/// Writes who changed what. A change is written after it has succeeded and before its answer is sent, so whoever has the answer finds
/// it in the audit. A request that failed, or whose client hung up, may have changed something first, so it is written too. Requests
/// share statements.
/// </summary>
internal sealed class AuditTrail
{
    private static readonly object Unchanged = new();

    private readonly SharedRounds<AuditEntry, IReadOnlyDictionary<AuditEntry, Exception>> rounds;
    private readonly ILogger<AuditTrail> log;

    public AuditTrail(AuditStore store, Reconnection reconnection, ILogger<AuditTrail> log)
    {
        this.log = log;
        rounds = new(entries => reconnection.AgainAsync(() => store.WriteAsync(entries)));
    }

    /// <summary>Marks the request as one that changes nothing although its method could.</summary>
    public static void ChangesNothing(HttpContext context) => context.Items[Unchanged] = true;

    /// <summary>Writes the request once the status of its answer is known, unless the status says that nothing was changed.</summary>
    public void Follow(HttpContext context)
    {
        if (HttpMethods.IsGet(context.Request.Method) || HttpMethods.IsHead(context.Request.Method))
            return;
        var (action, target) = (OperationIds.Of(context), TargetOf(context)); // an error's answer is written without the route
        context.Response.OnStarting(() =>
        {
            var status = context.Response.StatusCode;
            var isOver = status is >= 200 and < 400;
            if (!(isOver || IsUnknown(status)) || context.Items.ContainsKey(Unchanged) || Caller.KindOf(context) is null)
                return Task.CompletedTask;
            var writing = WriteAsync(
                context,
                new(
                    Caller.TenantOf(context),
                    Caller.NameOf(context),
                    Caller.KeyOf(context),
                    action,
                    target ?? MadeBy(context),
                    status,
                    Caller.AddressOf(context),
                    context.Request.QueryString is { HasValue: true, Value: { } query } ? query : null
                )
            );
            return isOver ? writing : Task.CompletedTask; // a caller that got no answer in time does not wait for the database again
        });
    }

    /// <summary>Whether the request may have changed something or not: its client hung up, or the server failed.</summary>
    private static bool IsUnknown(int status) =>
        status is StatusCodes.Status499ClientClosedRequest or >= StatusCodes.Status500InternalServerError;

    /// <summary>Writes a request that was refused although its key is known.</summary>
    public Task WriteRefusalAsync(HttpContext context, string tenant, string actor, Guid? key, int status, string reason) =>
        WriteAsync(
            context,
            new(tenant, actor, key, OperationIds.Of(context), TargetOf(context), status, Caller.AddressOf(context), reason)
        );

    /// <summary>A failure is logged only: the change is done, and an error would make the client repeat it.</summary>
    private async Task WriteAsync(HttpContext context, AuditEntry entry)
    {
        var request = context.TraceIdentifier; // the context may be over before the row is written
        Exception? reason;
        try
        {
            reason = (await rounds.AskAsync(entry)).GetValueOrDefault(entry);
        }
        catch (Exception e)
        {
            reason = e;
        }
        if (reason is not null)
            log.LogError(
                Outage.Behind(reason) is null ? reason : null,
                "The audit lacks {Action} of {Target} by {Actor} of {Tenant} from {Address}, answered with {Status} in {Request}: {Reason}",
                entry.Action,
                entry.Target,
                entry.Actor,
                entry.Tenant,
                entry.Address,
                entry.Status,
                request,
                reason.Message
            );
    }

    /// <returns>The id or name in the path; null without one.</returns>
    private static string? TargetOf(HttpContext context) =>
        context.Request.RouteValues.GetValueOrDefault("id")?.ToString()
        ?? context.Request.RouteValues.GetValueOrDefault("name")?.ToString();

    /// <returns>The id or name of what was made; null when nothing was.</returns>
    private static string? MadeBy(HttpContext context) =>
        context.Response.Headers.Location.ToString() is { Length: > 0 } made ? made[(made.LastIndexOf('/') + 1)..] : null;
}

internal static class AuditMiddleware
{
    public static void UseAudit(this IApplicationBuilder app)
    {
        var audit = app.ApplicationServices.GetRequiredService<AuditTrail>();
        app.Use(
            (context, next) =>
            {
                audit.Follow(context);
                return next(context);
            }
        );
    }
}
