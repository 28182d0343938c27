using System.Diagnostics;
using Temper.Harness.Fuzz;

namespace Temper.Bench.Attack;

/// <summary>The fuzzer of the tests with many requests: faults, and the memory of the API.</summary>
internal static class FuzzRun
{
    private const int Parts = 10;

    /// <returns>The exit code: 1 when the fuzzer found a fault.</returns>
    public static async Task<int> RunAsync(int requests, long seed)
    {
        await using var database = await TestDatabase.CreateAsync();
        await using var api = await ApiProcess.StartAsync(database.ConnectionString, FuzzTenant.Settings);
        FuzzTenant[] tenants = [await FuzzTenant.CreateAsync(database, api, "zebra"), await FuzzTenant.CreateAsync(database, api, "okapi")];
        using var fuzzer = await TenantFuzzer.CreateAsync(seed, api.Http.BaseAddress!, tenants);
        Console.WriteLine(
            $"{Machine.Describe()}; the fuzzer, PostgreSQL and the API on the same cores.\n\n## fuzz\n\n"
                + $"`bench/attack/run --only fuzz --requests {requests}`, seed {seed}: two tenants with keys of several scopes.\n\n"
                + "| requests | seconds | API: MiB now | at most |\n|---|---|---|---|"
        );
        await fuzzer.CoverAsync();
        var clock = Stopwatch.StartNew();
        for (var part = 1; part <= Parts; part++)
        {
            await fuzzer.RunAsync(requests / Parts);
            var most = PeakMemory.Of(api.Id);
            Console.WriteLine(
                $"| {requests / Parts * part} | {clock.Elapsed.TotalSeconds:F0} | {PeakMemory.Reset(api.Id) >> 20} | {most >> 20} |"
            );
        }
        Console.WriteLine($"\n{fuzzer.Report()}");
        return fuzzer.Faults.Count > 0 ? 1 : 0;
    }
}
