using System.Collections.Concurrent;
using System.Diagnostics;
using System.Net;
using Temper.Harness.Chaos;

namespace Temper.Bench;

/// <summary>
/// Replaces the APIs and workers of an earlier build by those of this one, and back, while clients submit jobs through every API
/// and workers are killed.
/// </summary>
internal sealed class Upgrade : IAsyncDisposable
{
    private const int Clients = 3,
        MostWaiting = 8;

    private static readonly TimeSpan DrainLimit = TimeSpan.FromMinutes(3),
        KillInterval = TimeSpan.FromSeconds(4),
        ReadInterval = TimeSpan.FromMilliseconds(50);

    private readonly string home = Directory.CreateTempSubdirectory("temper-upgrade-").FullName;
    private readonly Build earlier,
        current = new("new", TemperProcess.BuildOf);
    private readonly ChaosLog log = new(Path.Combine(TemperProcess.Repository, ".temper", "upgrade", $"{DateTime.Now:yyyyMMdd-HHmmss}"));
    private readonly Violations violations;
    private readonly ChaosPlan plan;
    private readonly Uri[] addresses = [.. Enumerable.Range(0, 2).Select(_ => new Uri($"http://127.0.0.1:{ApiProcess.FreePort()}"))];
    private readonly ApiProcess?[] apis = new ApiProcess?[2];
    private readonly (Build Build, WorkerProcess Process)?[] workers = new (Build, WorkerProcess)?[2];
    private readonly ConcurrentDictionary<int, Guid> acknowledged = new();
    private readonly ConcurrentDictionary<string, int> answers = new();
    private readonly List<string> phases = [];
    private PostgresServer postgres = null!;
    private ChaosDatabase database = null!;
    private int next,
        kills;
    private volatile int apisThere;

    private Upgrade(string folder)
    {
        earlier = new("old", project => Path.Combine(folder, "src", project, "bin", "Release", "net10.0"));
        violations = new(log);
        plan = new(
            new()
            {
                LogFolder = log.Folder,
                Faults = 0,
                Specs = 6,
            }
        );
    }

    private sealed record Build(string Name, Func<string, string> FolderOf);

    /// <param name="commit">The earlier commit.</param>
    /// <param name="folder">Its tree, with the API and the worker built.</param>
    /// <param name="jobs">The number of jobs of each phase.</param>
    /// <returns>0 when every rule was kept.</returns>
    public static async Task<int> RunAsync(string commit, string folder, int jobs)
    {
        await using var run = new Upgrade(folder);
        Console.Error.WriteLine($"Events and the output of every process: {run.log.Folder}");
        await run.PlayAsync(jobs);
        Console.WriteLine($"# From {commit} to this build and back\n\n{Machine.Describe()}\n\n{run.Table()}");
        foreach (var (rule, what) in run.violations.Found)
            Console.Error.WriteLine($"{rule}: {what}");
        return run.violations.Found.Count == 0 ? 0 : 1;
    }

    private async Task PlayAsync(int jobs)
    {
        IdxFiles.WriteFolder(Path.Combine(home, "data-sets"), "mnist", 800, 100);
        postgres = await PostgresServer.StartAsync();
        database = new(postgres.ConnectionString);
        await StartApiAsync(0, earlier);
        await Audit.InstallAsync(database);
        await StartWorkerAsync(0, earlier);
        var outcomes = await Outcomes.OfUndisturbedAsync(plan, database, ClientOf(0));

        using var ending = new CancellationTokenSource();
        var load = Enumerable
            .Range(0, Clients)
            .Select(client => SubmitAsync(client, ending.Token))
            .Append(ReadAsync(ending.Token))
            .ToArray();
        await PhaseAsync("old", jobs, () => StartWorkerAsync(1, earlier));
        await PhaseAsync(
            "old and new, each worker killed in turn",
            jobs,
            async () =>
            {
                await StartApiAsync(1, current);
                await ReplaceWorkerAsync(1, current);
                await KillWorkersAsync(times: 4);
            }
        );
        await CompareApisAsync();
        await PhaseAsync(
            "the old ones are replaced",
            jobs,
            async () =>
            {
                await ReplaceWorkerAsync(0, current);
                await ReplaceApiAsync(0, current);
            }
        );
        await PhaseAsync("new, each worker killed in turn", jobs, () => KillWorkersAsync(times: 2));
        await PhaseAsync(
            "rolled back to old",
            jobs,
            async () =>
            {
                await ReplaceApiAsync(0, earlier);
                await ReplaceWorkerAsync(0, earlier);
                await ReplaceWorkerAsync(1, earlier);
                await ReplaceApiAsync(1, earlier);
            }
        );
        await ending.CancelAsync();
        await Task.WhenAll(load);
        await DrainAsync();
        await CheckAsync(outcomes);
        await Audit.CheckAsync(database, violations);
    }

    /// <summary>Acts while the clients submit, and waits until this phase has its jobs.</summary>
    private async Task PhaseAsync(string name, int jobs, Func<Task> act)
    {
        log.Write(name);
        var (clock, before, answered) = (Stopwatch.StartNew(), acknowledged.Count, new Dictionary<string, int>(answers));
        await act();
        await Eventually.TrueAsync(() => Task.FromResult(acknowledged.Count >= before + jobs), TimeSpan.FromMinutes(3));
        var told = answers
            .Select(pair => (pair.Key, Count: pair.Value - answered.GetValueOrDefault(pair.Key)))
            .Where(pair => pair.Count > 0)
            .OrderBy(pair => pair.Key)
            .Select(pair => $"{pair.Count} × {pair.Key}");
        phases.Add($"| {name} | {clock.Elapsed.TotalSeconds:F0} | {acknowledged.Count - before} | {string.Join(", ", told)} |");
    }

    private CarefulClient ClientOf(int api) => new(addresses[api], violations);

    /// <summary>Submits through the APIs in turn; sends every third job again through another API.</summary>
    private async Task SubmitAsync(int client, CancellationToken stop)
    {
        CarefulClient[] through = [ClientOf(0), ClientOf(1)];
        for (var turn = client; !stop.IsCancellationRequested; turn++)
        {
            if (await database.CountAsync("SELECT count(*) FROM jobs WHERE state = 'queued'") >= MostWaiting)
            {
                await Task.WhenAny(Task.Delay(200, stop));
                continue;
            }
            var number = Interlocked.Increment(ref next) - 1;
            var (spec, key) = (plan.Specs[plan.SpecOf(number)], $"chaos-{number}");
            if (await through[turn % apisThere].SubmitAsync(spec, key) is not { } id)
                continue; // the client has reported it
            acknowledged[number] = id;
            if (turn % 3 == 0 && await through[(turn + 1) % apisThere].SubmitAsync(spec, key) is { } again && again != id)
                violations.Add(Rule.JobDoubled, $"{key} is {id} and {again}");
        }
    }

    /// <summary>Reads all the time, as a dashboard does, and counts how each API answers.</summary>
    private async Task ReadAsync(CancellationToken stop)
    {
        using var http = new HttpClient { Timeout = TimeSpan.FromSeconds(20) };
        for (var turn = 0; !stop.IsCancellationRequested; turn++)
        {
            var job = acknowledged.GetValueOrDefault(turn % Math.Max(1, acknowledged.Count));
            string[] paths = ["/jobs", "/workers", "/health/ready", $"/jobs/{job}", $"/jobs/{job}/attempts", "/jobs?state=queued"];
            var path = paths[turn % paths.Length];
            string answer;
            try
            {
                using var response = await http.GetAsync(new Uri(addresses[turn / paths.Length % apisThere], path), CancellationToken.None);
                answer = ((int)response.StatusCode).ToString();
                if (response.StatusCode is >= HttpStatusCode.InternalServerError and not HttpStatusCode.ServiceUnavailable)
                    violations.Add(
                        Rule.ServerError,
                        $"GET {path}: {answer} {await response.Content.ReadAsStringAsync(CancellationToken.None)}"
                    );
            }
            catch (Exception e) when (e is HttpRequestException or IOException)
            {
                answer = "no connection";
            }
            answers.AddOrUpdate(answer, 1, (_, count) => count + 1);
            await Task.WhenAny(Task.Delay(ReadInterval, stop));
        }
    }

    private async Task StartApiAsync(int seat, Build build)
    {
        apis[seat] = await ApiProcess.StartAsync(postgres.ConnectionString, address: addresses[seat], folder: build.FolderOf("Api"));
        apisThere = Math.Max(apisThere, seat + 1);
        log.Write($"API {seat} is of the {build.Name} build");
    }

    private async Task ReplaceApiAsync(int seat, Build build)
    {
        await EndAsync($"api-{seat}", apis[seat]!);
        await StartApiAsync(seat, build);
    }

    private async Task StartWorkerAsync(int seat, Build build)
    {
        workers[seat] = (
            build,
            await WorkerProcess.StartAsync(
                postgres.ConnectionString,
                home,
                new Dictionary<string, string?>
                {
                    ["TEMPER_DATA"] = Path.Combine(home, "data-sets"),
                    ["Worker__Threads"] = "1",
                    ["Worker__CheckpointSeconds"] = "1",
                },
                build.FolderOf("Worker")
            )
        );
        log.Write($"worker {seat} is of the {build.Name} build");
    }

    private async Task ReplaceWorkerAsync(int seat, Build build)
    {
        await EndAsync($"worker-{seat}", workers[seat]!.Value.Process);
        await StartWorkerAsync(seat, build);
    }

    private async Task KillWorkersAsync(int times)
    {
        for (var i = 0; i < times; i++)
        {
            await Task.Delay(KillInterval);
            var (build, worker) = workers[i % 2]!.Value;
            await worker.KillAsync();
            kills++;
            await EndAsync($"worker-{i % 2}", worker);
            await StartWorkerAsync(i % 2, build);
        }
    }

    /// <summary>Tells the process to stop, unless it has ended, and keeps what it printed.</summary>
    private async Task EndAsync(string name, TemperProcess process)
    {
        await process.DisposeAsync();
        log.Keep($"{name}-{process.Id}.log", process.Output);
    }

    /// <summary>Compares what the two APIs say of every job that has ended.</summary>
    private async Task CompareApisAsync()
    {
        foreach (var id in acknowledged.Values)
        {
            if (!(await ClientOf(0).GetAsync($"/jobs/{id}"))["isTerminal"]!.GetValue<bool>())
                continue;
            foreach (var (path, field) in new[] { ($"/jobs/{id}", "result"), ($"/jobs/{id}", "spec"), ($"/jobs/{id}/metrics", "items") })
            {
                var (one, other) = (await ClientOf(0).GetAsync(path), await ClientOf(1).GetAsync(path));
                if (!Agree(one[field], other[field]))
                    violations.Add(Rule.ResultOrMetricsDiffer, $"{path} {field}: {one[field]} and {other[field]}");
            }
        }
    }

    /// <summary>Whether two answers are the same, but for fields of objects that only the newer build has.</summary>
    private static bool Agree(JsonNode? one, JsonNode? other) =>
        (one, other) switch
        {
            (JsonObject these, JsonObject those) => (
                these.All(field => those.ContainsKey(field.Key)) || those.All(field => these.ContainsKey(field.Key))
            ) && these.Where(field => those.ContainsKey(field.Key)).All(field => Agree(field.Value, those[field.Key])),
            (JsonArray these, JsonArray those) => these.Count == those.Count
                && these.Zip(those).All(pair => Agree(pair.First, pair.Second)),
            _ => JsonNode.DeepEquals(one, other),
        };

    private Task DrainAsync() =>
        Eventually.TrueAsync(async () => await database.CountAsync("SELECT count(*) FROM jobs WHERE finished_at IS NULL") == 0, DrainLimit);

    private async Task CheckAsync(Outcomes outcomes)
    {
        if (
            await database.CountAsync("SELECT count(*) FROM jobs WHERE idempotency_key LIKE 'chaos-%'") is var stored
            && stored != acknowledged.Count
        )
            violations.Add(Rule.JobDoubled, $"{acknowledged.Count} were acknowledged, {stored} are there");
        foreach (var (number, id) in acknowledged)
            if (await database.RowsAsync("SELECT state, reason FROM jobs WHERE id = $1", id) is not [var row])
                violations.Add(Rule.AcknowledgedJobMissing, $"{id}, chaos-{number}");
            else if (!row.StartsWith("succeeded", StringComparison.Ordinal))
                violations.Add(Rule.JobNotSucceeded, $"{id} is {row}");
            else if (await outcomes.DifferenceAsync(id, plan.SpecOf(number), ClientOf(number % 2)) is { } difference)
                violations.Add(Rule.ResultOrMetricsDiffer, $"{id}, {difference}");
    }

    private string Table() =>
        "| phase | seconds | jobs | answers to reads |\n|---|---|---|---|\n"
        + string.Join('\n', phases)
        + $"\n\n{acknowledged.Count} jobs acknowledged, {kills} workers killed, {violations.Found.Count} rules broken.";

    public async ValueTask DisposeAsync()
    {
        foreach (var (api, seat) in apis.Select((api, seat) => (api, seat)))
            if (api is not null)
                await EndAsync($"api-{seat}", api);
        foreach (var (worker, seat) in workers.Select((worker, seat) => (worker, seat)))
            if (worker is { } there)
                await EndAsync($"worker-{seat}", there.Process);
        if (database is not null)
            await database.DisposeAsync();
        if (postgres is not null)
            await postgres.DisposeAsync();
        log.Dispose();
        Directory.Delete(home, recursive: true);
    }
}
