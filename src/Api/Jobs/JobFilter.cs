using Microsoft.AspNetCore.Mvc;
using Microsoft.EntityFrameworkCore;
using Temper.Api.Datasets;
using Temper.Api.Http;
using Temper.Domain.Jobs;
using Temper.Domain.Serialization;
using Temper.Store;
using Temper.Store.Rows;

namespace Temper.Api.Jobs;

/// <summary>The query parameters of `GET /jobs`, as strings, so that one answer reports every wrong parameter.</summary>
internal sealed class JobFilter
{
    private const int DefaultLimit = 50,
        LargestLimit = 200;

    private static readonly Dictionary<string, ShownState> States = Enum.GetValues<ShownState>().ToDictionary(Json.Name);

    /// <summary>Only jobs in this state: queued, running, cancelling, pausing, paused, succeeded, failed or cancelled.</summary>
    [FromQuery(Name = "state")]
    public string? State { get; init; }

    /// <summary>Only jobs on this data set; on every version of an uploaded one when the name has none.</summary>
    [FromQuery(Name = "dataset")]
    public string? Dataset { get; init; }

    /// <summary>Only jobs with this tag.</summary>
    [FromQuery(Name = "tag")]
    public string? Tag { get; init; }

    /// <summary>Only jobs of this study.</summary>
    [FromQuery(Name = "study")]
    public string? Study { get; init; }

    /// <summary>Jobs per page, 1 to 200; 50 when absent.</summary>
    [FromQuery(Name = "limit")]
    public string? Limit { get; init; }

    /// <summary>The `next` of the previous page.</summary>
    [FromQuery(Name = "cursor")]
    public string? Cursor { get; init; }

    internal int PageSize => Page([]).Size;

    internal Dictionary<string, string[]> Errors(HttpRequest request)
    {
        var errors = new Dictionary<string, string[]>();
        Problems.AddUnknownParameters(request, errors, "state", "dataset", "tag", "study", "limit", "cursor");
        if (State is not null && !States.ContainsKey(State))
            errors["state"] = [$"must be one of {string.Join(", ", States.Keys)}; got {State}"];
        if (Tag is not null && !JobSpecRule.IsTag(Tag))
            errors["tag"] = ["must be 1 to 64 characters on one line"];
        if (Study is not null && !Guid.TryParse(Study, out _))
            errors["study"] = [$"must be the id of a study; got {Study}"];
        _ = Page(errors);
        return errors;
    }

    /// <returns>The data sets whose jobs are asked for, as specs name them; null without the parameter, empty when there are
    /// none.</returns>
    internal async Task<IReadOnlyList<string>?> DatasetsAsync(TemperDb db, string tenant, CancellationToken cancellation) =>
        Dataset is null ? null : await UploadedNames.OfJobsAsync(db, tenant, Dataset, cancellation);

    /// <summary>Selects the jobs after the cursor, newest first. Call it only when <see cref="Errors"/> found none.</summary>
    internal IQueryable<JobRow> Apply(IQueryable<JobRow> jobs, IReadOnlyList<string>? datasets)
    {
        if (State is not null)
        {
            var (state, stop) = ShownStates.Stored(States[State]);
            jobs = jobs.Where(job => job.State == state && job.StopRequested == stop);
        }
        if (datasets is [var one])
            jobs = jobs.Where(job => job.Dataset == one);
        else if (datasets is not null)
            jobs = jobs.Where(job => datasets.Contains(job.Dataset));
        if (Tag is not null)
            jobs = jobs.Where(job => EF.Functions.JsonExists(job.Tags, Tag));
        if (Study is not null)
        {
            var study = Guid.Parse(Study);
            jobs = jobs.Where(job => job.StudyId == study);
        }
        if (Page([]).Before is { } before)
            jobs = jobs.Where(job => job.Sequence < before);
        return jobs.OrderByDescending(job => job.Sequence);
    }

    private (int Size, long? Before) Page(Dictionary<string, string[]> errors) =>
        Paging.Read(Limit, Cursor, DefaultLimit, LargestLimit, errors);
}
