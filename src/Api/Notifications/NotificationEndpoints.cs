using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.EntityFrameworkCore;
using Temper.Api.Http;
using Temper.Domain.Notifications;
using Temper.Store;
using Temper.Store.Rows;

namespace Temper.Api.Notifications;

/// <summary>The notifications of a job or of a study, oldest first; empty when its spec has no `notify`.</summary>
public sealed record NotificationsResponse(IReadOnlyList<NotificationResponse> Items);

/// <summary>The notification of one end.</summary>
/// <param name="Id">Its id in the header `webhook-id`, the same in every try.</param>
/// <param name="Type">What ended and how, such as `job.succeeded`.</param>
/// <param name="Address">Where it is posted.</param>
/// <param name="State">`pending` until it is delivered or, after the last try, abandoned.</param>
/// <param name="EndedAt">When the job, or the last job of the study, ended.</param>
/// <param name="Attempts">The tries, oldest first.</param>
public sealed record NotificationResponse(
    string Id,
    string Type,
    string Address,
    NotificationState State,
    DateTimeOffset EndedAt,
    IReadOnlyList<NotificationAttemptResponse> Attempts
)
{
    internal static NotificationResponse Of(NotificationRow notification) =>
        new(
            $"msg_{notification.Id:N}",
            notification.Type,
            notification.Address,
            notification.State,
            notification.EndedAt,
            [
                .. notification
                    .History.OrderBy(attempt => attempt.Attempt)
                    .Select(attempt => new NotificationAttemptResponse(
                        attempt.Attempt,
                        attempt.StartedAt,
                        attempt.Seconds,
                        attempt.Status,
                        attempt.Error
                    )),
            ]
        );
}

/// <summary>One try to post a notification.</summary>
/// <param name="Attempt">Number of the try, from 1.</param>
/// <param name="StartedAt">When it began.</param>
/// <param name="Seconds">How long it took; null while it is under way, and for good when its worker died.</param>
/// <param name="Status">The HTTP status of the answer; null when there was none.</param>
/// <param name="Error">Why it failed; null when it did not.</param>
public sealed record NotificationAttemptResponse(int Attempt, DateTimeOffset StartedAt, double? Seconds, int? Status, string? Error);

internal static class NotificationEndpoints
{
    public static void MapNotifications(this IEndpointRouteBuilder routes)
    {
        routes
            .MapGet("/jobs/{id:guid}/notifications", OfJobAsync)
            .WithTags("Jobs")
            .ProducesProblem(StatusCodes.Status404NotFound)
            .ProducesProblem(StatusCodes.Status503ServiceUnavailable);
        routes
            .MapGet("/studies/{id:guid}/notifications", OfStudyAsync)
            .WithTags("Studies")
            .ProducesProblem(StatusCodes.Status404NotFound)
            .ProducesProblem(StatusCodes.Status503ServiceUnavailable);
    }

    private static async Task<Results<Ok<NotificationsResponse>, ProblemHttpResult>> OfJobAsync(
        TemperDb db,
        Guid id,
        CancellationToken cancellation
    ) =>
        await db.Jobs.AnyAsync(job => job.Id == id, cancellation)
            ? await AnswerAsync(db.Notifications.Where(notification => notification.JobId == id), cancellation)
            : Problems.NoSuchJob(id);

    private static async Task<Results<Ok<NotificationsResponse>, ProblemHttpResult>> OfStudyAsync(
        TemperDb db,
        Guid id,
        CancellationToken cancellation
    ) =>
        await db.Studies.AnyAsync(study => study.Id == id, cancellation)
            ? await AnswerAsync(db.Notifications.Where(notification => notification.StudyId == id), cancellation)
            : Problems.NoSuchStudy(id);

    private static async Task<Ok<NotificationsResponse>> AnswerAsync(
        IQueryable<NotificationRow> notifications,
        CancellationToken cancellation
    )
    {
        var found = await notifications
            .AsNoTracking()
            .Include(notification => notification.History)
            .OrderBy(notification => notification.EndedAt)
            .ToListAsync(cancellation);
        return TypedResults.Ok(new NotificationsResponse([.. found.Select(NotificationResponse.Of)]));
    }
}
