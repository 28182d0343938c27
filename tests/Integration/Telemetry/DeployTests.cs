using System.Diagnostics;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Temper.Harness.Telemetry;

namespace Temper.Integration.Telemetry;

/// <summary>Tests the alerts, the dashboard and the list of metrics against what the processes export.</summary>
[Collection(TelemetryCollection.Name)]
public sealed partial class DeployTests(TelemetryFixture telemetry)
{
    private static readonly string Deploy = Path.Combine(TemperProcess.Repository, "deploy");

    private IEnumerable<Family> Exported => telemetry.OfApi.Values.Concat(telemetry.OfWorker.Values);

    [Theory]
    [InlineData("check", "config", "prometheus.yml")]
    [InlineData("check", "config", "compose.yml")]
    [InlineData("check", "rules", "alerts.yml")]
    [InlineData("test", "rules", "alerts_test.yml")]
    public async Task Promtool_OnTheExamples_FindsNoError(params string[] arguments)
    {
        var start = new ProcessStartInfo("promtool", arguments)
        {
            WorkingDirectory = Path.Combine(Deploy, "prometheus"),
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        using var process = Process.Start(start)!;
        var (output, error) = (process.StandardOutput.ReadToEndAsync(), process.StandardError.ReadToEndAsync());
        await process.WaitForExitAsync();

        Assert.True(process.ExitCode == 0, await output + await error);
    }

    [Fact]
    public void Alerts_NameOnlyExportedMetrics() =>
        AssertExported(
            AlertExpression()
                .Matches(File.ReadAllText(Path.Combine(Deploy, "prometheus", "alerts.yml")))
                .Select(match => match.Groups[1].Value + match.Groups[2].Value)
        );

    [Fact]
    public void EachAlert_HasATestThatFiresIt()
    {
        var tested = File.ReadAllText(Path.Combine(Deploy, "prometheus", "alerts_test.yml"));
        var alerts = AlertName().Matches(File.ReadAllText(Path.Combine(Deploy, "prometheus", "alerts.yml"))).Select(m => m.Groups[1].Value);

        Assert.NotEmpty(alerts);
        Assert.All(alerts, alert => Assert.Matches($@"alertname: {alert}\n        exp_alerts:", tested));
    }

    [Fact]
    public void Dashboard_NamesOnlyExportedMetrics()
    {
        var panels = JsonNode.Parse(File.ReadAllText(Path.Combine(Deploy, "grafana", "temper.json")))!["panels"]!.AsArray();
        AssertExported(
            from panel in panels
            where panel!["type"]!.GetValue<string>() != "row"
            from target in panel["targets"]!.AsArray()
            select target!["expr"]!.GetValue<string>()
        );
    }

    [Fact]
    public void DocumentedMetrics_AreThoseThatAreExported()
    {
        var rows = DocumentRow().Matches(File.ReadAllText(Path.Combine(TemperProcess.Repository, "docs", "telemetry.md"))).ToList();

        Assert.Equal(
            Exported
                .Where(family => family.Name.StartsWith("temper_") || family.Name.StartsWith("hw_"))
                .Select(family => $"{family.Name} {family.Type} [{Labels(family)}] {family.Help}")
                .Order(),
            rows.Select(row => $"{row.Groups[3]} {row.Groups[4]} [{row.Groups[5].Value.Replace("`", "")}] {row.Groups[6]}").Order()
        );
        Assert.All(
            rows,
            row => Assert.Equal(InPrometheus(row.Groups[1].Value, row.Groups[2].Value, row.Groups[4].Value), row.Groups[3].Value)
        );

        static string Labels(Family family) =>
            string.Join(
                ", ",
                family
                    .Samples.Keys.SelectMany(sample => LabelName().Matches(sample))
                    .Select(match => match.Groups[1].Value)
                    .Where(label => label is not ("le" or "otel_scope_name"))
                    .Distinct()
                    .Order()
            );

        static string InPrometheus(string name, string unit, string type)
        {
            var suffix = unit switch
            {
                "s" => "_seconds",
                "By" => "_bytes",
                "{image}/s" => "_per_second",
                _ => "",
            };
            return name.Replace('.', '_') + suffix + (type == "counter" ? "_total" : "");
        }
    }

    private void AssertExported(IEnumerable<string> expressions)
    {
        var samples = Exported.SelectMany(family => family.Samples.Keys).Select(sample => sample.Split('{')[0]).Append("up").ToHashSet();
        var named = expressions.SelectMany(Metrics).Distinct().ToList();

        Assert.True(named.Count > 5);
        Assert.Empty(named.Except(samples));
    }

    /// <summary>The metrics in an expression: its names without labels, ranges, lists of labels, functions and operators.</summary>
    private static IEnumerable<string> Metrics(string expression) =>
        MetricName().Matches(NoMetric().Replace(expression, " ")).Select(match => match.Value);

    [GeneratedRegex(@"\{[^}]*\}|\[[^\]]*\]|\b(?:by|on|without|ignoring)\s*\([^)]*\)|\boffset \w+|\b(?:and|or|unless|bool)\b")]
    private static partial Regex NoMetric();

    [GeneratedRegex(@"(?<![\w.])[a-zA-Z_:][\w:]*\b(?!\s*\()")]
    private static partial Regex MetricName();

    [GeneratedRegex(@"^        expr: (?:\|\n((?:          .*\n)+)|(.*)$)", RegexOptions.Multiline)]
    private static partial Regex AlertExpression();

    [GeneratedRegex(@"- alert: (\w+)")]
    private static partial Regex AlertName();

    [GeneratedRegex(@"[{,](\w+)=""")]
    private static partial Regex LabelName();

    [GeneratedRegex(@"^\| `((?:temper|hw)\.[^`|]*)` \| `([^`|]*)` \| `([^`|]*)` \| (\w+) \| (.*?) ?\| (.*) \|$", RegexOptions.Multiline)]
    private static partial Regex DocumentRow();
}
