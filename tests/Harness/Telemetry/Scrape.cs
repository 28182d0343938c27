using System.Globalization;
using System.Text.RegularExpressions;

namespace Temper.Harness.Telemetry;

/// <param name="Type">`counter`, `gauge` or `histogram`.</param>
/// <param name="Samples">By name and labels, as they are in the text.</param>
public sealed record Family(string Name, string Type, string Help, IReadOnlyDictionary<string, double> Samples);

/// <summary>What Prometheus reads of a process.</summary>
public static partial class Scrape
{
    /// <returns>The families by their names.</returns>
    public static async Task<IReadOnlyDictionary<string, Family>> ReadAsync(int port)
    {
        using var http = new HttpClient();
        return Parse(await http.GetStringAsync(new Uri($"http://127.0.0.1:{port}/metrics")));
    }

    /// <summary>Reads Prometheus's text format, in which the lines of a family follow those with its type and its help.</summary>
    private static Dictionary<string, Family> Parse(string text)
    {
        var (types, helps) = (new Dictionary<string, string>(), new Dictionary<string, string>());
        var samples = new Dictionary<string, double>();
        foreach (var line in text.Split('\n', StringSplitOptions.RemoveEmptyEntries))
            if (line.Split(' ', 4) is ["#", "TYPE", var typed, var type])
                types[typed] = type;
            else if (line.Split(' ', 4) is ["#", "HELP", var helped, var help])
                helps[helped] = help;
            else if (SampleLine().Match(line) is { Success: true } sample)
                samples[sample.Groups[1].Value] = double.Parse(sample.Groups[2].Value, CultureInfo.InvariantCulture);
        return types.ToDictionary(
            type => type.Key,
            type => new Family(
                type.Key,
                type.Value,
                helps.GetValueOrDefault(type.Key, ""),
                samples.Where(sample => IsOf(type.Key, type.Value, sample.Key.Split('{')[0])).ToDictionary()
            )
        );
    }

    private static bool IsOf(string family, string type, string sample) =>
        sample == family
        || (type == "histogram" && (sample == $"{family}_bucket" || sample == $"{family}_count" || sample == $"{family}_sum"));

    [GeneratedRegex(@"^([a-zA-Z_:][^ {]*(?:\{.*\})?) (\S+)")]
    private static partial Regex SampleLine();
}
