using System.Diagnostics;

namespace Temper.Browser;

/// <summary>The TypeScript of the dashboard, and its part of the build.</summary>
public sealed class SourceTests
{
    [NodeFact]
    public Task Sources_PassTheTypeCheck() => SucceedsAsync("src/Dashboard", "npm", ["run", "--silent", "check"]);

    [NodeFact]
    public Task Sources_PassTheirTests() => SucceedsAsync("src/Dashboard", "npm", ["test", "--silent"]);

    [Fact]
    public async Task Build_WithoutNpm_SaysSoAndSucceeds()
    {
        var output = await BuildAsync($"{Path.GetTempPath()}no-such-folder/", npm: "no-such-npm");

        Assert.Contains("The dashboard was not built, because Node or npm is missing. The service works without it.", output);
    }

    [Fact]
    public async Task Build_WithAnOldNode_SaysSoAndKeepsTheDashboardOfBefore()
    {
        var folder = Directory.CreateTempSubdirectory("temper-test-").FullName;
        foreach (var program in new[] { "node", "npm" })
            File.WriteAllText(Path.Combine(folder, program), "#!/bin/sh\necho v16.20.2\n");
        await SucceedsAsync(folder, "chmod", ["+x", "node", "npm"]);
        var page = Path.Combine(folder, "index.html");
        File.WriteAllText(page, "");
        File.SetLastWriteTimeUtc(page, DateTime.UnixEpoch);

        var output = await BuildAsync($"{folder}/", npm: "npm", programs: folder);

        Assert.Contains("because Node v16.20.2 is older than 18. An older dashboard is served.", output);
        Assert.True(File.Exists(page));
        Directory.Delete(folder, recursive: true);
    }

    private static Task<string> BuildAsync(string dashboard, string npm, string? programs = null) =>
        SucceedsAsync(
            "src/Api",
            "dotnet",
            ["msbuild", "-nologo", "-target:BuildDashboard", $"-property:Npm={npm}", $"-property:DashboardBuild={dashboard}"],
            programs
        );

    /// <param name="programs">A folder whose programs are run rather than others of the same names.</param>
    private static async Task<string> SucceedsAsync(string folder, string program, string[] arguments, string? programs = null)
    {
        var start = new ProcessStartInfo(program, arguments)
        {
            WorkingDirectory = Path.Combine(TemperProcess.Repository, folder),
            RedirectStandardOutput = true,
        };
        if (programs is not null)
            start.Environment["PATH"] = $"{programs}:{start.Environment["PATH"]}";
        using var process = Process.Start(start)!;
        var output = await process.StandardOutput.ReadToEndAsync();
        await process.WaitForExitAsync();
        Assert.True(process.ExitCode == 0, output);
        return output;
    }
}
