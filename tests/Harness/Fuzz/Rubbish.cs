using Temper.Domain;

namespace Temper.Harness.Fuzz;

/// <summary>Values that nobody expects.</summary>
internal static class Rubbish
{
    private static readonly string[] Texts =
    [
        "", " ", "0", "1", "-1", "2", "10", "200", "201", "4999", "1e3", "1.5", "0x10", "2147483647", "2147483648", "-2147483649", "9223372036854775807", "9223372036854775808",
        "99999999999999999999999999", "NaN", "Infinity", "-0", "null", "true", "TRUE", "false", "undefined", "[]", "{}", "\0", "\0\0", "%", "%%", "%s%n", "\\", "'", "''", "\"",
        "' OR 1=1 --", "1; DROP TABLE jobs", "../../etc/passwd", "..", ".", "/", "//", "\\..\\", "*", "?", "#", "&", "=", ";", "\r\nX-Injected: 1", "\n", "\t",
        "queued", "running", "cancelling", "succeeded", "failed", "cancelled", "paused", "Succeeded", "guo", "torchmetrics", "netcal", "test", "validation", "digits", "mnist", "MNIST", "fuzz",
        "é", "ünï", "日本", "🦆", "\u202e", "\ufeff", "\uffff", "İ", "ß", "a\u0301", "{0}", "${jndi}", "<script>", "W/\"x\"", "\"*\"", "*/*", "bytes=0-1", "bytes=-1", "bytes=5-2", "2026-01-01T00:00:00Z",
    ];

    /// <summary>JSON values as texts, because a parser would not keep some of them as they are.</summary>
    private static readonly string[] JsonValues =
    [
        "null", "true", "false", "0", "-0", "-1", "1", "0.5", "1.0000000000000000000001", "1e308", "1e309", "-1e999", "1e-400", "1E5", "2147483648", "9007199254740993", "9223372036854775808",
        "123456789012345678901234567890123456789012345678901234567890", "\"\"", "\" \"", "\"0\"", "\"0.1\"", "\"mnist\"", "\"MNIST\"", "\"adam\"", "\"Adam\"", "\"others\"", "\"cosine\"",
        "\"\\u0000\"", "\"\\ud800\"", "\"\\udc00\\ud800\"", "\"\\uFFFF\"", "\"\\n\"", "\"🦆\"", "[]", "[[]]", "[null]", "[1,\"a\"]", "[\"a\",\"a\"]", "[\"\"]", "[\"\\u0000\"]", "[\"\\ud800\"]", "{}", "{\"a\":1}",
        "{\"\\ud800\":1}",
    ];

    private static readonly string[] NoJsonValues =
        ["NaN", "Infinity", "01", "+1", ".5", "1.", "0x1F", "\"\\x\"", "\"\t\"", "\"unterminated", "[\"x\",]", "{\"a\"}", "/* */ 1", "undefined", "'single'", ""];

    public static string Text(SplitMix64 random) => random.NextInt32(8) switch
    {
        0 => new string((char)random.NextInt32(0x800), 1 + random.NextInt32(300)),
        1 => string.Concat(Enumerable.Range(0, random.NextInt32(40)).Select(_ => (char)(1 + random.NextInt32(255)))),
        2 => random.NextUInt64().ToString(),
        3 => (random.NextDouble(-1, 1) * Math.Pow(10, random.NextInt32(40))).ToString("R", System.Globalization.CultureInfo.InvariantCulture),
        _ => Texts[random.NextInt32(Texts.Length)],
    };

    public static string JsonValue(SplitMix64 random) => random.NextInt32(10) switch
    {
        0 => Nested(random.NextInt32(4) == 0 ? 5000 : random.NextInt32(100), random.NextInt32(4) > 0),
        1 => $"\"{new string((char)('a' + random.NextInt32(26)), random.NextInt32(2) == 0 ? 300 : 20_000)}\"",
        2 => System.Text.Json.JsonSerializer.Serialize(Text(random)),
        3 => $"[{string.Join(',', Enumerable.Range(0, random.NextInt32(60)).Select(i => $"\"tag{i}\""))}]",
        4 => NoJsonValues[random.NextInt32(NoJsonValues.Length)],
        _ => JsonValues[random.NextInt32(JsonValues.Length)],
    };

    private static string Nested(int depth, bool closed) => new string('[', depth) + (closed ? new string(']', depth) : "");
}
