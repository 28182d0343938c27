using System.Text.RegularExpressions;
using Temper.Harness;

namespace Temper.Unit;

/// <summary>Tests that docs/asvs.md answers every requirement of levels 1 and 2 of ASVS 5.0.0, and each once.</summary>
public sealed partial class AsvsDocumentTests
{
    /// <summary>
    /// The number of requirements of levels 1 and 2 in each section that has any. In each section they are numbered from 1 without a
    /// gap, and those of level 3 follow.
    /// </summary>
    private static readonly (string Section, int Count)[] Sections =
    [
        ("1.1", 2),
        ("1.2", 9),
        ("1.3", 11),
        ("1.4", 3),
        ("1.5", 2),
        ("2.1", 3),
        ("2.2", 3),
        ("2.3", 4),
        ("2.4", 1),
        ("3.2", 2),
        ("3.3", 4),
        ("3.4", 6),
        ("3.5", 5),
        ("3.7", 2),
        ("4.1", 3),
        ("4.2", 1),
        ("4.3", 2),
        ("4.4", 4),
        ("5.1", 1),
        ("5.2", 3),
        ("5.3", 2),
        ("5.4", 3),
        ("6.1", 3),
        ("6.2", 12),
        ("6.3", 4),
        ("6.4", 4),
        ("6.5", 5),
        ("6.6", 3),
        ("6.8", 4),
        ("7.1", 3),
        ("7.2", 4),
        ("7.3", 2),
        ("7.4", 5),
        ("7.5", 2),
        ("7.6", 2),
        ("8.1", 2),
        ("8.2", 3),
        ("8.3", 1),
        ("8.4", 1),
        ("9.1", 3),
        ("9.2", 4),
        ("10.1", 2),
        ("10.2", 2),
        ("10.3", 4),
        ("10.4", 11),
        ("10.5", 5),
        ("10.6", 2),
        ("10.7", 3),
        ("11.1", 2),
        ("11.2", 3),
        ("11.3", 3),
        ("11.4", 4),
        ("11.5", 1),
        ("11.6", 1),
        ("12.1", 3),
        ("12.2", 2),
        ("12.3", 4),
        ("13.1", 1),
        ("13.2", 5),
        ("13.3", 2),
        ("13.4", 5),
        ("14.1", 2),
        ("14.2", 4),
        ("14.3", 3),
        ("15.1", 3),
        ("15.2", 3),
        ("15.3", 7),
        ("16.1", 1),
        ("16.2", 5),
        ("16.3", 4),
        ("16.4", 3),
        ("16.5", 3),
        ("17.1", 1),
        ("17.2", 4),
        ("17.3", 2),
    ];

    [Fact]
    public void Tables_HaveEveryRequirementOfLevels1And2Once() =>
        Assert.Equal(
            Sections.SelectMany(section => Enumerable.Range(1, section.Count).Select(i => $"{section.Section}.{i}")).Order(),
            Answered().Order()
        );

    /// <summary>The numbers in the first column of the tables, without those that say "level 3".</summary>
    private static IEnumerable<string> Answered() =>
        FirstCell()
            .Matches(File.ReadAllText(Path.Combine(TemperProcess.Repository, "docs", "asvs.md")))
            .Where(cell => !cell.Value.Contains("level 3", StringComparison.Ordinal))
            .SelectMany(cell => Range().Matches(cell.Value))
            .SelectMany(range =>
            {
                var (section, first) = (range.Groups[1].Value, int.Parse(range.Groups[2].Value));
                var last = range.Groups[4].Success ? int.Parse(range.Groups[4].Value) : first;
                Assert.True(!range.Groups[3].Success || range.Groups[3].Value == section, $"{range.Value} is of two sections.");
                return Enumerable.Range(first, last - first + 1).Select(i => $"{section}.{i}");
            });

    [GeneratedRegex(@"^\| [0-9][^|]*\|", RegexOptions.Multiline)]
    private static partial Regex FirstCell();

    /// <summary>Such as `6.2.1–6.2.12` or `6.8.3`.</summary>
    [GeneratedRegex(@"(\d+\.\d+)\.(\d+)(?:–(\d+\.\d+)\.(\d+))?")]
    private static partial Regex Range();
}
