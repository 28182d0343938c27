using System.ComponentModel;
using System.Globalization;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Mvc;
using Microsoft.EntityFrameworkCore;
using Temper.Api.Http;
using Temper.Store;
using Temper.Store.Keys;
using Temper.Store.Rows;

namespace Temper.Api.Audit;

/// <summary>
/// A request that changed something, that may have done so before it failed, or that was refused although its key was known.
/// </summary>
/// <param name="Tenant">Of the key or token.</param>
/// <param name="Actor">Name of the key, subject of the token, or `command line`.</param>
/// <param name="KeyId">Null for a token, for a command line, and on an API without keys.</param>
/// <param name="Action">The operation, such as `cancelJob`, or the method and path of a request to Hangfire's dashboard.</param>
/// <param name="Target">Id or name of what was changed; null when the request names nothing.</param>
/// <param name="Status">HTTP status of the answer; 499 when the client hung up before it. With 499 and from 500 on the change may be done
/// or not.</param>
/// <param name="Address">Address of the client, or the host of a command line.</param>
/// <param name="Detail">The query of a change, or the reason of a refusal; null without one.</param>
public sealed record AuditResponse(
    long Id,
    DateTimeOffset At,
    string Tenant,
    string Actor,
    Guid? KeyId,
    string Action,
    string? Target,
    int Status,
    string? Address,
    string? Detail
)
{
    internal static AuditResponse Of(AuditRow row) =>
        new(row.Id, row.At, row.Tenant, row.Actor, row.KeyId, row.Action, row.Target, row.Status, row.Address, row.Detail);
}

/// <summary>A page of the audit, newest first.</summary>
/// <param name="Next">The `cursor` of the next page; null on the last.</param>
public sealed record AuditPage(IReadOnlyList<AuditResponse> Items, string? Next);

internal static class AuditEndpoints
{
    private const int DefaultLimit = 50,
        LargestLimit = 200;

    public static void MapAudit(this IEndpointRouteBuilder routes) =>
        routes
            .MapGet("/audit", ListAsync)
            .WithTags("Keys")
            .Needs(Scope.Admin)
            .ProducesValidationProblem()
            .ProducesProblem(StatusCodes.Status503ServiceUnavailable);

    private static async Task<Results<Ok<AuditPage>, ProblemHttpResult>> ListAsync(
        HttpContext context,
        TemperDb db,
        [FromQuery, Description("Only of keys and tokens of this tenant.")] string? tenant,
        [FromQuery, Description("Only of this key's name or token's subject.")] string? actor,
        [FromQuery, Description("Only this operation, such as cancelJob.")] string? action,
        [FromQuery, Description("Only at or after this time, such as 2026-01-15T09:30:00Z.")] string? since,
        [FromQuery, Description("Only before this time.")] string? until,
        [FromQuery, Description("Rows on a page, 1 to 200; 50 when absent.")] string? limit,
        [FromQuery, Description("The `next` of the page before.")] string? cursor,
        CancellationToken cancellation
    )
    {
        var errors = new Dictionary<string, string[]>();
        Problems.AddUnknownParameters(context.Request, errors, "tenant", "actor", "action", "since", "until", "limit", "cursor");
        var (size, before) = Paging.Read(limit, cursor, DefaultLimit, LargestLimit, errors);
        var (from, to) = (TimeOf("since", since, errors), TimeOf("until", until, errors));
        AddUnlessText("tenant", tenant, errors);
        AddUnlessText("actor", actor, errors);
        AddUnlessText("action", action, errors);
        if (errors.Count > 0)
            return Problems.Invalid("The query is wrong.", errors);
        var found = await db
            .Audit.AsNoTracking()
            .Where(row => tenant == null || row.Tenant == tenant)
            .Where(row => before == null || row.Id < before)
            .Where(row => actor == null || row.Actor == actor)
            .Where(row => action == null || row.Action == action)
            .Where(row => from == null || row.At >= from)
            .Where(row => to == null || row.At < to)
            .OrderByDescending(row => row.Id)
            .Take(size + 1)
            .ToListAsync(cancellation);
        return TypedResults.Ok(new AuditPage([.. found.Take(size).Select(AuditResponse.Of)], Paging.Next(found, size, row => row.Id)));
    }

    private static DateTimeOffset? TimeOf(string name, string? text, Dictionary<string, string[]> errors)
    {
        if (text is null)
            return null;
        if (DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var time))
            return time.ToUniversalTime();
        errors.TryAdd(name, [$"must be a time such as 2026-01-15T09:30:00Z; got {text}"]);
        return null;
    }

    /// <summary>PostgreSQL's text has no character 0.</summary>
    private static void AddUnlessText(string name, string? text, Dictionary<string, string[]> errors)
    {
        if (text?.Contains('\0') == true)
            errors.TryAdd(name, ["must not contain the character 0"]);
    }
}
