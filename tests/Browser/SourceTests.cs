using System.Diagnostics;

namespace Temper.Browser;

/// <summary>The TypeScript of the dashboard, and its part of the build.</summary>
public sealed class SourceTests
{
    [NodeFact]
    public Task Sources_PassTheTypeCheck() => SucceedsAsync("src/Dashboard", "npm", "run", "--silent", "check");

    [NodeFact]
    public Task Sources_PassTheirTests() => SucceedsAsync("src/Dashboard", "npm", "test", "--silent");

    [Fact]
    public async Task Build_WithoutNpm_SaysSoAndSucceeds()
    {
        var output = await SucceedsAsync(
            "src/Api",
            "dotnet",
            "msbuild",
            "-nologo",
            "-target:BuildDashboard",
            "-property:Npm=no-such-npm",
            $"-property:DashboardBuild={Path.GetTempPath()}no-such-folder/"
        );

        Assert.Contains("The dashboard was not built, because Node or npm is missing.", output);
    }

    private static async Task<string> SucceedsAsync(string folder, string program, params string[] arguments)
    {
        var start = new ProcessStartInfo(program, arguments)
        {
            WorkingDirectory = Path.Combine(TemperProcess.Repository, folder),
            RedirectStandardOutput = true,
        };
        using var process = Process.Start(start)!;
        var output = await process.StandardOutput.ReadToEndAsync();
        await process.WaitForExitAsync();
        Assert.True(process.ExitCode == 0, output);
        return output;
    }
}
