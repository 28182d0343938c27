using System.Globalization;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using Spectre.Console;

namespace Temper.Cli.Output;

/// <summary>
/// Standard output for people: with colours and a live view on a terminal; plain text without escape sequences, however wide, in
/// a pipe or file.
/// </summary>
internal static class Terminal
{
    private const int WidthOfFiles = 10_000;

    private static readonly JsonSerializerOptions Indented = new()
    {
        WriteIndented = true,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping, // ε stays ε
    };

    public static IAnsiConsole Out { get; } = Create();

    public static bool IsInteractive => Out.Profile.Capabilities.Interactive && !Console.IsOutputRedirected;

    /// <summary>Writes the service's answer, and nothing else, to standard output.</summary>
    public static void WriteJson(JsonNode answer) => Console.Out.WriteLine(answer.ToJsonString(Indented));

    public static void WriteLine(string text) => Console.Out.WriteLine(text);

    /// <summary>Writes to standard error what is neither an answer nor an error.</summary>
    public static void Note(string text) => Console.Error.WriteLine(text);

    public static Table Table(params string[] columns)
    {
        var table = new Table { Border = TableBorder.None, UseSafeBorder = false };
        foreach (var column in columns)
            table.AddColumn(new TableColumn(new Text(column, new Style(decoration: Decoration.Bold))).PadLeft(0).PadRight(2).NoWrap());
        return table;
    }

    public static Table Row(this Table table, params string?[] cells) => table.AddRow(cells.Select(cell => new Text(cell ?? "")));

    /// <summary>Aligns the columns of numbers, from the given one on, to the right.</summary>
    public static Table NumbersFrom(this Table table, int first)
    {
        foreach (var column in table.Columns.Skip(first))
            column.RightAligned();
        return table;
    }

    public static string Figure(double? value, string format = "0.0000") =>
        value is { } number && double.IsFinite(number) ? number.ToString(format, CultureInfo.InvariantCulture) : "–";

    public static string Plain(JsonNode? value) =>
        value switch
        {
            null => "–",
            JsonArray list => string.Join(", ", list.Select(Plain)),
            JsonValue text when text.GetValueKind() == JsonValueKind.String => text.GetValue<string>(),
            _ => value.ToJsonString(Indented),
        };

    /// <summary>Local time to the second.</summary>
    public static string Time(JsonNode? value) =>
        value is null ? "–" : value.GetValue<DateTimeOffset>().ToLocalTime().ToString("yyyy-MM-dd HH:mm:ss", CultureInfo.InvariantCulture);

    private static IAnsiConsole Create()
    {
        var console = AnsiConsole.Create(
            new AnsiConsoleSettings { Ansi = Console.IsOutputRedirected ? AnsiSupport.No : AnsiSupport.Detect }
        );
        if (Console.IsOutputRedirected)
            console.Profile.Width = WidthOfFiles;
        return console;
    }
}
