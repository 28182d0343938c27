using Temper.Harness;
using Temper.Store.Queue;

namespace Temper.Unit.Structure;

public class EndStatementTests
{
    /// <summary>A change of such a statement must be copied into the document.</summary>
    [Fact]
    public void Document_ShowsEachStatementThatEndsAttemptsInFull()
    {
        var document = File.ReadAllText(Path.Combine(TemperProcess.Repository, "docs", "end-attempts.sql"));
        Assert.Equal(6, JobQueue.EndStatements.Count);

        foreach (var (name, sql) in JobQueue.EndStatements)
            Assert.Contains($"-- {name}\n{sql};\n", document);
    }
}
