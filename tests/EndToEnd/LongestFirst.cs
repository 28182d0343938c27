using Temper.EndToEnd;
using Xunit.Abstractions;

[assembly: TestCollectionOrderer("Temper.EndToEnd." + nameof(LongestFirst), "Temper.EndToEnd")]

namespace Temper.EndToEnd;

/// <summary>Starts the longest classes first, so that the last ones end at about the same time.</summary>
public sealed class LongestFirst : ITestCollectionOrderer
{
    private static readonly string[] Longest =
    [
        nameof(RecurringJobTests),
        nameof(SurvivalTests),
        nameof(HangfireTests),
        nameof(SickRunnerTests),
        nameof(OutageTests),
        nameof(StudyTests),
        nameof(ChaosTests),
        nameof(RunScriptTests),
    ];

    public IEnumerable<ITestCollection> OrderTestCollections(IEnumerable<ITestCollection> testCollections) =>
        testCollections.OrderBy(collection =>
            Array.FindIndex(Longest, name => collection.DisplayName.EndsWith($".{name}", StringComparison.Ordinal)) is >= 0 and var place
                ? place
                : Longest.Length
        );
}
