using System.Globalization;

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
}
