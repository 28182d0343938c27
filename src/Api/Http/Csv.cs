using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using Microsoft.AspNetCore.Http.HttpResults;
using Temper.Domain.Serialization;

namespace Temper.Api.Http;

/// <summary>
/// Answers in CSV: the properties of the rows' JSON as columns, null as an empty field, an object as its JSON in quotes. Other
/// fields need no quotes, because they are numbers, ids and names of enums.
/// </summary>
internal static class Csv
{
    /// <param name="rows">Written one by one, so that a long table is never in memory as a whole.</param>
    /// <param name="name">Name of the file when a browser stores the answer.</param>
    public static PushStreamHttpResult Of<T>(IAsyncEnumerable<T> rows, string name, CancellationToken cancellation) =>
        TypedResults.Stream(to => WriteAsync(to, rows, cancellation), "text/csv", name);

    private static async Task WriteAsync<T>(Stream to, IAsyncEnumerable<T> rows, CancellationToken cancellation)
    {
        var columns = Json.Options.GetTypeInfo(typeof(T)).Properties;
        await using var csv = new StreamWriter(to, bufferSize: 16 << 10, leaveOpen: true) { NewLine = "\n" };
        await csv.WriteLineAsync(string.Join(',', columns.Select(column => column.Name)));
        await foreach (var row in rows.WithCancellation(cancellation))
            await csv.WriteLineAsync(string.Join(',', columns.Select(column => Field(column, row!))));
    }

    private static string Field(JsonPropertyInfo column, object row)
    {
        var json = JsonSerializer.Serialize(column.Get!(row), column.PropertyType, Json.Options);
        return json == "null" ? ""
            : json[0] == '{' ? Quoted(json)
            : json.Trim('"');
    }

    public static string Quoted(string text) => $"\"{text.Replace("\"", "\"\"")}\"";
}
