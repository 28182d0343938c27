using System.Globalization;
using Microsoft.EntityFrameworkCore;
using Temper.Domain.Datasets;
using Temper.Domain.Jobs;
using Temper.Store.Rows;

namespace Temper.Api.Jobs;

/// <summary>The query of `GET /jobs`, as texts, so that every wrong one is reported in one answer.</summary>
/// <param name="State">Only jobs shown in this state.</param>
/// <param name="Dataset">Only jobs on this data set.</param>
/// <param name="Tag">Only jobs with this tag.</param>
/// <param name="Limit">Jobs on a page, 1 to 200; 50 when absent.</param>
/// <param name="Cursor">The `next` of the page before.</param>
internal sealed record JobFilter(string? State, string? Dataset, string? Tag, string? Limit, string? Cursor)
{
    private const int DefaultLimit = 50, LargestLimit = 200;

    public int PageSize => Limit is null ? DefaultLimit : int.Parse(Limit, CultureInfo.InvariantCulture);

    public Dictionary<string, string[]> Errors()
    {
        var errors = new Dictionary<string, string[]>();
        if (State is not null && !Enum.TryParse<ShownState>(State, ignoreCase: true, out _) || int.TryParse(State, out _))
            errors["state"] = [$"must be one of {string.Join(", ", Enum.GetNames<ShownState>()).ToLowerInvariant()}; got {State}"];
        if (Dataset is not null && DatasetCatalog.Find(Dataset) is null)
            errors["dataset"] = [$"must be one of {string.Join(", ", DatasetCatalog.All.Select(card => card.Name))}; got {Dataset}"];
        if (Limit is not null && !(int.TryParse(Limit, NumberStyles.None, CultureInfo.InvariantCulture, out var limit) && limit is >= 1 and <= LargestLimit))
            errors["limit"] = [$"must be a whole number from 1 to {LargestLimit}; got {Limit}"];
        if (Cursor is not null && !long.TryParse(Cursor, NumberStyles.None, CultureInfo.InvariantCulture, out _))
            errors["cursor"] = ["must be the `next` of an earlier page"];
        return errors;
    }

    /// <summary>Newest first, from the cursor on: the page's cost does not depend on how far down it is.</summary>
    public IQueryable<JobRow> Apply(IQueryable<JobRow> jobs)
    {
        if (State is not null)
        {
            var shown = Enum.Parse<ShownState>(State, ignoreCase: true);
            var state = shown == ShownState.Cancelling ? JobState.Running : Enum.Parse<JobState>(shown.ToString());
            jobs = jobs.Where(job => job.State == state);
            if (state == JobState.Running) jobs = jobs.Where(job => job.CancelRequestedAt != null == (shown == ShownState.Cancelling));
        }
        if (Dataset is not null) jobs = jobs.Where(job => job.Dataset == Dataset);
        if (Tag is not null) jobs = jobs.Where(job => EF.Functions.JsonExists(job.Tags, Tag));
        if (Cursor is not null)
        {
            var before = long.Parse(Cursor, CultureInfo.InvariantCulture);
            jobs = jobs.Where(job => job.Sequence < before);
        }
        return jobs.OrderByDescending(job => job.Sequence);
    }
}
