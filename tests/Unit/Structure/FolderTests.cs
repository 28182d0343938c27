using NetArchTest.Rules;
using Temper.Harness;

namespace Temper.Unit.Structure;

/// <summary>Tests which folders of a project may depend on each other.</summary>
public class FolderTests
{
    [Theory]
    [InlineData("Api")]
    [InlineData("Cli")]
    [InlineData("Domain")]
    [InlineData("Store")]
    [InlineData("Worker")]
    public void Folders_OfAProject_DependOnEachOtherInOneDirection(string project)
    {
        var types = TypesOf(project);
        var folders = FoldersOf(types, project);
        Assert.True(folders.Count > 1);
        var dependencies = folders.ToDictionary(
            folder => folder,
            folder => folders.Where(other => other != folder && DependsOn(types, folder, other)).ToArray()
        );

        Assert.Contains(dependencies.Values, known => known.Length > 0);

        // Repeatedly removes the folders that depend on no remaining folder. A folder that stays is in a cycle or depends on one.
        while (dependencies.Keys.Where(folder => !dependencies[folder].Any(dependencies.ContainsKey)).ToArray() is { Length: > 0 } free)
            foreach (var folder in free)
                dependencies.Remove(folder);
        Assert.Empty(dependencies.Select(left => $"{left.Key} → {string.Join(", ", left.Value.Where(dependencies.ContainsKey))}"));
    }

    [Theory]
    [InlineData("Temper.Worker.Training")]
    [InlineData("Temper.Worker.Datasets")]
    [InlineData("Temper.Worker.Messages")]
    [InlineData("Temper.Worker.Runner")]
    public void Runner_KnowsNoDatabaseAndNoQueue(string folder)
    {
        var types = TypesOf("Worker");
        Assert.NotEmpty(types.That().ResideInNamespace(folder).GetTypes());
        foreach (
            var other in new[]
            {
                "Temper.Store",
                "Temper.Worker.Engine",
                "Temper.Worker.Slots",
                "Temper.Worker.Supervisor",
                "Npgsql",
                "Hangfire",
            }
        )
            Assert.False(DependsOn(types, folder, other), $"{folder} depends on {other}");
    }

    [Fact]
    public void Domain_DependsOnNothingOfTheService()
    {
        foreach (var other in new[] { "Temper.Store", "Temper.Api", "Temper.Worker", "Microsoft.EntityFrameworkCore", "Npgsql" })
            Assert.False(DependsOn(TypesOf("Domain"), "Temper.Domain", other), other);
    }

    [Fact]
    public void Cli_KnowsTheServiceOnlyByHttpAndTheDomain()
    {
        Assert.True(DependsOn(TypesOf("Cli"), "Temper.Cli", "Temper.Domain"));
        foreach (var other in new[] { "Temper.Store", "Temper.Api", "Temper.Worker", "Temper.Kernels", "Npgsql", "Hangfire" })
            Assert.False(DependsOn(TypesOf("Cli"), "Temper.Cli", other), other);
    }

    private static Types TypesOf(string project) => Types.FromFile(Path.Combine(TemperProcess.BuildOf(project), $"Temper.{project}.dll"));

    private static bool DependsOn(Types types, string folder, string other) =>
        !types.That().ResideInNamespace(folder).ShouldNot().HaveDependencyOnAny(other).GetResult().IsSuccessful;

    private static List<string> FoldersOf(Types types, string project)
    {
        var root = $"Temper.{project}.";
        return
        [
            .. types
                .GetTypes()
                .Select(type => type.FullName)
                .Where(name => name.StartsWith(root, StringComparison.Ordinal))
                .Select(name => name[root.Length..].Split('.'))
                .Where(parts => parts.Length > 1)
                .Select(parts => root + parts[0])
                .Distinct()
                .Order(),
        ];
    }
}
