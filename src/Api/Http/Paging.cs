using System.Globalization;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Temper.Api.Http;

/// <summary>Reads `limit` and `cursor` of a list with keyset paging.</summary>
internal static class Paging
{
    /// <returns>
    /// The page size, and the sequence number that all items of the page are below (null for the first page). Do not use them
    /// when errors were added.
    /// </returns>
    public static (int Size, long? Before) Read(
        string? limit,
        string? cursor,
        int byDefault,
        int largest,
        Dictionary<string, string[]> errors
    )
    {
        var size = byDefault;
        long before = default;
        if (
            limit is not null
            && !(int.TryParse(limit, NumberStyles.None, CultureInfo.InvariantCulture, out size) && size >= 1 && size <= largest)
        )
            errors["limit"] = [$"must be a whole number from 1 to {largest}; got {limit}"];
        if (cursor is not null && !long.TryParse(cursor, NumberStyles.None, CultureInfo.InvariantCulture, out before))
            errors["cursor"] = ["must be the `next` of an earlier page"];
        return (size, cursor is null ? null : before);
    }

    /// <summary>Reads the query of a list that has no other parameters.</summary>
    /// <returns>As above; a refusal when the query is wrong, otherwise null.</returns>
    public static (int Size, long? Before, ProblemHttpResult? Refusal) ReadQuery(
        HttpRequest request,
        string? limit,
        string? cursor,
        int byDefault,
        int largest
    )
    {
        var errors = new Dictionary<string, string[]>();
        Problems.AddUnknownParameters(request, errors, "limit", "cursor");
        var (size, before) = Read(limit, cursor, byDefault, largest, errors);
        return (size, before, errors.Count > 0 ? Problems.Invalid("The query is wrong.", errors) : null);
    }

    /// <param name="found">The items of a page and, if there are more, one of the next.</param>
    /// <returns>The cursor of the next page; null when there is none.</returns>
    public static string? Next<T>(IReadOnlyList<T> found, int size, Func<T, long> sequence) =>
        found.Count > size ? sequence(found[size - 1]).ToString(CultureInfo.InvariantCulture) : null;
}
