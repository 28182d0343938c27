using System.ComponentModel;
using System.Globalization;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Mvc;
using Microsoft.EntityFrameworkCore;
using Temper.Api.Audit;
using Temper.Api.Http;
using Temper.Api.Live;
using Temper.Domain.Jobs;
using Temper.Domain.Serialization;
using Temper.Store;
using Temper.Store.Events;
using Temper.Store.Keys;
using Temper.Store.Notifications;
using Temper.Store.Queue;
using Temper.Store.Rows;

namespace Temper.Api.Jobs;

/// <summary>A page of jobs, newest first.</summary>
/// <param name="Next">Cursor of the next page; null on the last page.</param>
/// <param name="Note">The jobs that this page omits because this build cannot read them; null when it omits none.</param>
public sealed record JobPage(IReadOnlyList<JobResponse> Items, string? Next, string? Note)
{
    internal static JobPage Of(IReadOnlyList<(Guid Id, JobRow? Job)> jobs, string? next)
    {
        var shown = jobs.Select(one => (one.Id, Response: ResponseOrNull(one.Job))).ToList();
        var unread = shown.Where(one => one.Response is null).Select(one => one.Id).ToList();
        return new(
            [.. shown.Select(one => one.Response).OfType<JobResponse>()],
            next,
            unread.Count == 0 ? null : $"Left out, for this build cannot read them: {string.Join(", ", unread)}."
        );
    }

    private static JobResponse? ResponseOrNull(JobRow? job)
    {
        try
        {
            return job is null ? null : JobResponse.Of(job);
        }
        catch (NewerBuildException)
        {
            return null;
        }
    }
}

/// <summary>The metrics of a job's epochs, oldest first.</summary>
public sealed record MetricsResponse(IReadOnlyList<EpochMetrics> Items);

internal static class JobEndpoints
{
    public static void MapJobs(this IEndpointRouteBuilder routes)
    {
        var jobs = routes.MapGroup("/jobs").WithTags("Jobs").ProducesProblem(StatusCodes.Status503ServiceUnavailable);

        jobs.MapPost("/", SubmitAsync)
            .Needs(Scope.Submit)
            .Accepts<JobSpec>("application/json")
            .ProducesValidationProblem()
            .ProducesProblem(StatusCodes.Status413PayloadTooLarge)
            .ProducesProblem(StatusCodes.Status415UnsupportedMediaType)
            .ProducesProblem(StatusCodes.Status422UnprocessableEntity)
            .ProducesProblem(StatusCodes.Status429TooManyRequests);

        jobs.MapGet("/", ListAsync).ProducesValidationProblem();

        jobs.MapGet("/{id:guid}", FindAsync)
            .Produces<JobResponse>()
            .Produces(StatusCodes.Status304NotModified)
            .ProducesProblem(StatusCodes.Status404NotFound)
            .ProducesProblem(StatusCodes.Status429TooManyRequests);

        jobs.MapGet("/{id:guid}/metrics", MetricsAsync)
            .Produces<MetricsResponse>(StatusCodes.Status200OK, "application/json", "text/csv")
            .Produces(StatusCodes.Status304NotModified)
            .ProducesValidationProblem()
            .ProducesProblem(StatusCodes.Status404NotFound);

        jobs.MapGet("/{id:guid}/tensorboard", TensorBoardAsync)
            .Produces<Stream>(StatusCodes.Status200OK, "application/octet-stream")
            .ProducesProblem(StatusCodes.Status404NotFound);

        jobs.MapGet("/{id:guid}/attempts", AttemptsAsync).ProducesProblem(StatusCodes.Status404NotFound);

        jobs.MapVerbs();
        jobs.MapPinning();
        jobs.MapReproduction();
    }

    private static async Task<Results<Accepted<JobResponse>, Ok<CheckedSpecResponse>, ProblemHttpResult>> SubmitAsync(
        HttpRequest request,
        PostedBody body,
        TemperDb db,
        QueueLimit limit,
        NotificationOptions notifications,
        [FromQuery, Description("true: check the spec, answer 200 and store nothing.")] string? validateOnly,
        [FromHeader(Name = "Idempotency-Key")] string? key,
        CancellationToken cancellation
    )
    {
        if (Submission.Refusal(request, validateOnly, key) is { } wrong)
            return wrong;
        if (body.Refusal is { } refusal)
            return refusal;
        var tenant = Caller.TenantOf(request.HttpContext);
        var (spec, errors) = await JobSpecReader.ReadAsync(body.Bytes, tenant, key, db, notifications, cancellation);
        if (spec is null)
            return Problems.Invalid("The job spec is wrong.", errors);
        if (validateOnly == "true")
        {
            AuditTrail.ChangesNothing(request.HttpContext);
            return TypedResults.Ok(
                new CheckedSpecResponse(spec, TargetsResponse.Of(spec), await Advice.ForAsync(db, tenant, spec, cancellation))
            );
        }
        using var place = await limit.TryTakePlacesAsync(1, cancellation);
        if (place is null && (key is null || await JobQueue.FindByKeyAsync(db, tenant, key, cancellation) is null))
            return limit.Refuse(request.HttpContext);
        // The advice is computed before the job is stored: if it fails, the client gets an error and no job exists.
        var advice = await Advice.ForAsync(db, tenant, spec, cancellation);
        if (key is null)
            Reconnection.BeginUnrepeatableWrite(request.HttpContext);
        var (job, wasThere) = key is null
            ? (await JobQueue.SubmitAsync(db, tenant, spec, cancellation), false)
            : await JobQueue.SubmitOnceAsync(db, tenant, spec, key, cancellation);
        if (wasThere && (job.Reproduces is not null || (!IsSame(spec) && !IsSame(await AgainAsync()))))
            return Submission.KeyUsedForAnother($"Job {job.Id}");
        var response = JobResponse.Of(job) with { Advice = advice };
        return TypedResults.Accepted(response.Links.Self, response);

        bool IsSame(JobSpec? posted) => posted is not null && Json.Write(job.Spec) == Json.Write(posted);

        // The earlier submission may have been stored after this one looked for it. Its data set may have a newer version since.
        async Task<JobSpec?> AgainAsync() => (await JobSpecReader.ReadAsync(body.Bytes, tenant, key, db, notifications, cancellation)).Spec;
    }

    private static async Task<Results<Ok<JobPage>, ProblemHttpResult>> ListAsync(
        HttpRequest request,
        TemperDb db,
        JobReader reader,
        [AsParameters] JobFilter filter,
        CancellationToken cancellation
    )
    {
        var tenant = Caller.TenantOf(request.HttpContext);
        var (errors, datasets) = (filter.Errors(request), await filter.DatasetsAsync(db, tenant, cancellation));
        if (datasets is [])
            errors["dataset"] = [$"must be {JobSpecRule.Of("dataset").Allowed}; got {filter.Dataset}"];
        if (errors.Count > 0)
            return Problems.Invalid("The query is wrong.", errors);

        // The query takes one job more than the page holds. That job shows that another page follows.
        var found = await filter
            .Apply(db.Jobs.Where(job => job.Tenant == tenant), datasets)
            .Select(job => new { job.Id, job.Sequence })
            .Take(filter.PageSize + 1)
            .ToListAsync(cancellation);
        var next = Paging.Next(found, filter.PageSize, job => job.Sequence);
        return TypedResults.Ok(JobPage.Of(await reader.ListAsync([.. found.Take(filter.PageSize).Select(job => job.Id)]), next));
    }

    private static async Task<IResult> FindAsync(
        HttpRequest request,
        JobReader reader,
        JobVersions versions,
        Guid id,
        [FromHeader(Name = "Prefer"), Description("`wait=20`: the answer may wait up to 20 s, at most 30.")] string? prefer
    )
    {
        if (Preference.WaitSeconds(prefer) is not { } seconds)
            return await FindNowAsync(request, reader, versions, id);
        var isForChange = request.HasIfNoneMatch();
        return new Waiting(
            EventScope.OfJob(id),
            seconds,
            async () =>
            {
                var answer = await FindNowAsync(request, reader, versions, id);
                return (answer, isForChange ? answer != EntityTags.NotModified : answer is not Ok<JobResponse> { Value.IsTerminal: false });
            },
            one => isForChange || (one.Change is StateChange change && change.State.IsFinal())
        );
    }

    private static async Task<IResult> FindNowAsync(HttpRequest request, JobReader reader, JobVersions versions, Guid id)
    {
        if (request.HasIfNoneMatch() && await versions.FindAsync(id) is { } known && request.IsKnownAs(EntityTags.Of(known.Job)))
            return EntityTags.NotModified;
        if (await reader.FindAsync(id) is not var (job, version))
            return Problems.NoSuchJob(id);
        return request.IsKnownAs(EntityTags.Of(version)) ? EntityTags.NotModified : TypedResults.Ok(JobResponse.Of(job));
    }

    private static async Task<IResult> MetricsAsync(
        HttpRequest request,
        JobReader reader,
        JobVersions versions,
        Guid id,
        [FromQuery, Description("Gives only later epochs; a whole number from 0.")] string? since,
        [FromQuery, Description("json or csv; json when absent.")] string? format
    )
    {
        var (errors, after) = (new Dictionary<string, string[]>(), 0);
        Problems.AddUnknownParameters(request, errors, "since", "format");
        Problems.AddUnlessFormat(format, errors);
        if (since is not null && !int.TryParse(since, NumberStyles.None, CultureInfo.InvariantCulture, out after))
            errors.TryAdd("since", [$"must be a whole number from 0: only later epochs are given; got {since}"]);
        if (errors.Count > 0)
            return Problems.Invalid("The query is wrong.", errors);
        // The version is read before the epochs. If an epoch is added in between, the version is the older one, and the next
        // request gets the epochs again.
        if (await versions.FindAsync(id) is not { } version)
            return Problems.NoSuchJob(id);
        if (after == 0 && request.IsKnownAs(EntityTags.Of(version.Metrics)))
            return EntityTags.NotModified;
        var metrics = new MetricsResponse(await reader.MetricsAsync(id, after));
        // The version counts all epochs, but the epochs after `since` may be the same as before. So their content is compared.
        if (after > 0 && request.IsKnownAs(EntityTags.Of(metrics)))
            return EntityTags.NotModified;
        return format == "csv"
            ? Csv.Of(metrics.Items.ToAsyncEnumerable(), $"{id}-metrics.csv", request.HttpContext.RequestAborted)
            : TypedResults.Ok(metrics);
    }

    private static async Task<Results<PushStreamHttpResult, ProblemHttpResult>> TensorBoardAsync(
        HttpRequest request,
        JobReader reader,
        Guid id,
        CancellationToken cancellation
    )
    {
        if (await reader.FindAsync(id) is not var (job, _))
            return Problems.NoSuchJob(id);
        var epochs = HttpMethods.IsHead(request.Method) ? [] : await reader.MetricsAsync(id, after: 0);
        return TypedResults.Stream(
            to => TensorBoardFile.WriteAsync(to, job, epochs, cancellation),
            "application/octet-stream",
            TensorBoardFile.NameOf(job)
        );
    }

    private static async Task<Results<Ok<AttemptsResponse>, ProblemHttpResult>> AttemptsAsync(
        TemperDb db,
        Guid id,
        CancellationToken cancellation
    ) =>
        await db
            .Jobs.AsNoTracking()
            .Include(job => job.Worker)
            .Include(job => job.Attempts)
            .SingleOrDefaultAsync(job => job.Id == id, cancellation)
            is { } job
            ? TypedResults.Ok(AttemptsResponse.Of(job))
            : Problems.NoSuchJob(id);
}
