using System.ComponentModel;
using Microsoft.AspNetCore.Mvc;
using Temper.Api.Http;
using Temper.Store.Events;

namespace Temper.Api.Events;

/// <summary>Streams of events: of one job, of one study, of all of a tenant.</summary>
internal static class EventEndpoints
{
    private const string IdHeader = "Last-Event-ID",
        IdDescription = "The `id` of the last event received: the stream continues after it. Also as `lastEventId` in the query.",
        IdQueryDescription = "The same as the header Last-Event-ID, for clients that cannot set it. The header takes precedence.";

    public static void MapEvents(this IEndpointRouteBuilder routes)
    {
        Map("/jobs/{id:guid}/events", "Jobs", JobAsync);
        Map("/studies/{id:guid}/events", "Studies", StudyAsync);
        Map("/events", "Events", AllAsync);

        void Map(string path, string tag, Delegate stream) =>
            routes
                .MapGet(path, stream)
                .WithTags(tag)
                .Produces<string>(StatusCodes.Status200OK, "text/event-stream")
                .Produces(StatusCodes.Status204NoContent)
                .ProducesProblem(StatusCodes.Status404NotFound)
                .ProducesProblem(StatusCodes.Status429TooManyRequests)
                .ProducesProblem(StatusCodes.Status503ServiceUnavailable);
    }

    private static Task<IResult> JobAsync(
        HttpContext context,
        EventStreams streams,
        Guid id,
        [FromHeader(Name = IdHeader), Description(IdDescription)] string? header,
        [FromQuery(Name = "lastEventId"), Description(IdQueryDescription)] string? query
    ) => streams.OpenAsync(context, EventScope.OfJob(id), header, query);

    private static Task<IResult> StudyAsync(
        HttpContext context,
        EventStreams streams,
        Guid id,
        [FromHeader(Name = IdHeader), Description(IdDescription)] string? header,
        [FromQuery(Name = "lastEventId"), Description(IdQueryDescription)] string? query
    ) => streams.OpenAsync(context, EventScope.OfStudy(id), header, query);

    private static Task<IResult> AllAsync(
        HttpContext context,
        EventStreams streams,
        [FromHeader(Name = IdHeader), Description(IdDescription)] string? header,
        [FromQuery(Name = "lastEventId"), Description(IdQueryDescription)] string? query
    ) => streams.OpenAsync(context, EventScope.OfTenant(Caller.TenantOf(context)), header, query);
}
