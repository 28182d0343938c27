using System.Diagnostics;
using System.Text.Json;
using Npgsql;

namespace Temper.Bench;

/// <summary>A program of bench/queue/, run by Node on a database of its own.</summary>
internal static class NodeQueue
{
    /// <summary>Where bench/queue/run put the programs and their modules.</summary>
    private static string Folder => Path.Combine(Environment.GetEnvironmentVariable("TEMPER_HOME") ?? throw new InvalidOperationException("Run bench/queue/run: it sets TEMPER_HOME."), "queue");

    public static string CostSql => File.ReadAllText(Path.Combine(Folder, "cost.sql"));

    public static async Task<string> NodeVersionAsync() => (await Programs.OutputAsync(new("node", "--version"))).TrimStart('v');

    /// <summary>Its name and version as installed; a package may stand under another name beside another version of itself.</summary>
    public static string Describe(string package)
    {
        var installed = JsonNode.Parse(File.ReadAllText(Path.Combine(Folder, "node_modules", package, "package.json")))!;
        return $"{installed["name"]} {installed["version"]}";
    }

    public static async Task<Drained> DrainAsync(string package, string setting, int workers, int jobs)
    {
        var measured = await MeasureAsync(package, setting, "drain", workers, jobs);
        double Of(string name) => measured[name]!.GetValue<double>();
        return new(Of("seconds"), new(Of("walBytes"), Of("serverCpuSeconds"), Of("workersCpuSeconds")));
    }

    /// <returns>Milliseconds from commit to start, for each job.</returns>
    public static async Task<double[]> StartAsync(string package, string setting, int workers, int jobs) =>
        (await MeasureAsync(package, setting, "latency", workers, jobs))["milliseconds"].Deserialize<double[]>()!;

    private static async Task<JsonNode> MeasureAsync(string package, string setting, string what, int workers, int jobs)
    {
        await using var database = await TestDatabase.CreateEmptyAsync();
        var connection = new NpgsqlConnectionStringBuilder(database.ConnectionString);
        var program = package == "pg-boss" ? "pgboss.mjs" : "graphile.mjs";
        var start = new ProcessStartInfo("node", [Path.Combine(Folder, program), setting, what, $"{workers}", $"{jobs}"])
        {
            Environment =
            {
                ["PGHOST"] = connection.Host, ["PGPORT"] = $"{connection.Port}", ["PGUSER"] = connection.Username,
                ["PGPASSWORD"] = connection.Password, ["PGDATABASE"] = connection.Database,
                ["BENCH_PAYLOAD"] = TemperQueue.Payload,
            },
        };
        return JsonNode.Parse(await Programs.OutputAsync(start))!;
    }
}
