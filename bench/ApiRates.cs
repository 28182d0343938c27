using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using Npgsql;
using NpgsqlTypes;
using Temper.Domain.Jobs;
using Temper.Domain.Serialization;

namespace Temper.Bench;

/// <summary>
/// Measures the routes that scripts and dashboards poll: requests per second beside <see cref="MinimalApi"/>, latency under load,
/// and pages of a long list.
/// </summary>
internal static class ApiRates
{
    private const int Connections = 64,
        PolledJobs = 20_000,
        PageSize = 200,
        LargestNotModified = 300;

    private static readonly string Requests = Path.Combine(TemperProcess.Repository, "bench", "api", "requests.lua");

    /// <param name="onlyRates">Measures only the rates, on a tenth of the jobs.</param>
    public static async Task RunAsync(bool quick, bool onlyRates)
    {
        var (jobs, epochs, rounds, seconds) =
            quick ? (10_000, 100, 3, 3)
            : onlyRates ? (100_000, 100, 4, 6)
            : (1_000_000, 100, 5, 6);
        Console.WriteLine(
            $"# The API under load\n\n{Machine.Describe()}; PostgreSQL, API and load generator (wrk, {Connections} connections) on "
                + "the same cores.\n"
        );
        await using var database = await TestDatabase.CreateAsync();
        var settings = new NpgsqlConnectionStringBuilder(database.ConnectionString);
        settings.Remove("Maximum Pool Size"); // the limit of the tests
        var connectionString = settings.ToString();
        var ids = await StoreAsync(database, jobs, epochs);

        var folder = Directory.CreateTempSubdirectory("temper-bench-").FullName;
        await using (var api = await ApiProcess.StartAsync(connectionString))
        await using (var minimal = await MinimalProcess.StartAsync(connectionString))
        {
            var polled = ids.OrderBy(_ => Random.Shared.Next()).Take(PolledJobs).ToList();
            var reads = new List<Read>();
            foreach (var route in new[] { "", "/metrics" })
                reads.Add(await Read.PrepareAsync(folder, route, polled, api, minimal));
            await RatesAsync(reads, rounds, seconds, api, minimal);
            if (!onlyRates)
            {
                await LoadedAsync(reads, seconds, api);
                await PagesAsync(api, jobs);
            }
        }
        Directory.Delete(folder, recursive: true);
    }

    /// <summary>One route, with the files of requests that wrk reads.</summary>
    private sealed record Read(string Route, string Plain, string Known)
    {
        /// <summary>Checks that both servers give the same answer, and that the API answers 304 to its own ETag.</summary>
        public static async Task<Read> PrepareAsync(
            string folder,
            string route,
            IReadOnlyList<Guid> ids,
            ApiProcess api,
            MinimalProcess minimal
        )
        {
            var read = new Read(
                route,
                Path.Combine(folder, $"plain{ids.Count}{route.Length}"),
                Path.Combine(folder, $"known{ids.Count}{route.Length}")
            );
            await File.WriteAllLinesAsync(read.Plain, ids.Select(id => $"/jobs/{id}{route}"));
            var known = new List<string>();
            foreach (var path in await File.ReadAllLinesAsync(read.Plain))
            {
                using var answer = await api.Http.GetAsync(path);
                var body = await answer.Content.ReadAsStringAsync();
                if (known.Count % 1000 == 0)
                {
                    if (body != await minimal.Http.GetStringAsync(path))
                        throw new InvalidOperationException($"{path}: not the same answer.");
                    await ExpectNotModifiedAsync(api, path, answer.Headers.ETag!);
                }
                known.Add($"{path}\t{answer.Headers.ETag}");
            }
            await File.WriteAllLinesAsync(read.Known, known);
            return read;
        }

        private static async Task ExpectNotModifiedAsync(ApiProcess api, string path, EntityTagHeaderValue tag)
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, path);
            request.Headers.IfNoneMatch.Add(tag);
            using var answer = await api.Http.SendAsync(request);
            if (answer.StatusCode != HttpStatusCode.NotModified)
                throw new InvalidOperationException($"{path}: {answer.StatusCode} to its own ETag.");
        }
    }

    private static async Task RatesAsync(IReadOnlyList<Read> reads, int rounds, int seconds, ApiProcess api, MinimalProcess minimal)
    {
        Console.WriteLine(
            $"## Rates\n\n{rounds} rounds of {seconds} s each in turns, {PolledJobs:N0} jobs in random order; requests/s, median "
                + "(lowest–highest). The minimal endpoint: the same answer by Npgsql alone, bench/MinimalApi.cs.\n"
        );
        Console.WriteLine("| | Temper | minimal endpoint | ratio | 304 | 304 ÷ full answer |\n|---|---|---|---|---|---|");
        foreach (var read in reads)
        {
            var (full, least, known) = (new List<double>(), new List<double>(), new List<double>());
            for (var round = -1; round < rounds; round++) // the first round warms up
            {
                var figures = (
                    await LoadAsync(api.Http, read.Plain, seconds),
                    await LoadAsync(minimal.Http, read.Plain, seconds),
                    await LoadAsync(api.Http, read.Known, seconds)
                );
                // wrk does not distinguish a full answer from a 304.
                if (figures.Item3.Bytes > LargestNotModified)
                    throw new InvalidOperationException($"{figures.Item3.Bytes:F0} bytes an answer: they were not 304.");
                if (round < 0)
                    continue;
                full.Add(figures.Item1.Rate);
                least.Add(figures.Item2.Rate);
                known.Add(figures.Item3.Rate);
            }
            Console.WriteLine(
                $"| GET /jobs/{{id}}{read.Route} | {full.Spread("F0")} | {least.Spread("F0")} | {Ratio(full, least)} | "
                    + $"{known.Spread("F0")} | {Ratio(known, full)} |"
            );
        }
        Console.WriteLine();

        static string Ratio(List<double> these, List<double> those) => these.Zip(those, (one, other) => one / other).Spread("F2");
    }

    private static async Task LoadedAsync(IReadOnlyList<Read> reads, int seconds, ApiProcess api)
    {
        Console.WriteLine(
            $"## At 70 % load\n\n{Connections} connections that rest at random between requests, {5 * seconds} s.\n\n| | requests/s "
                + "at full load | requests/s | median ms | p99 ms |\n|---|---|---|---|---|"
        );
        foreach (var read in reads)
        foreach (var (name, file) in new[] { ("", read.Plain), (", 304", read.Known) })
        {
            var full = await LoadAsync(api.Http, file, seconds);
            // A connection sends one request in each period of rest + latency.
            var loaded = await LoadAsync(api.Http, file, 5 * seconds, rest: 1000.0 * Connections / (0.7 * full.Rate) - full.Median / 4);
            Console.WriteLine(
                $"| GET /jobs/{{id}}{read.Route}{name} | {full.Rate:F0} | {loaded.Rate:F0} ({loaded.Rate / full.Rate:P0}) | "
                    + $"{loaded.Median:F2} | {loaded.P99:F2} |"
            );
        }
        Console.WriteLine();
    }

    private sealed record Figures(double Rate, double Bytes, double Median, double P99);

    private static async Task<Figures> LoadAsync(HttpClient target, string file, int seconds, double? rest = null)
    {
        var start = new ProcessStartInfo(
            "wrk",
            ["-t1", $"-c{Connections}", $"-d{seconds}s", "-s", Requests, target.BaseAddress!.ToString(), "--", file]
        );
        if (rest is { } mean)
            start.Environment["BENCH_REST"] = Math.Max(0, mean).ToString("F0", CultureInfo.InvariantCulture);
        var output = await Programs.OutputAsync(start);
        var figures = output
            .Split('\n')
            .Single(line => line.StartsWith("figures ", StringComparison.Ordinal))
            .Split(' ')[1..]
            .Select(text => double.Parse(text, CultureInfo.InvariantCulture))
            .ToArray();
        return figures[4] == 0
            ? new(figures[0], figures[1], figures[2], figures[3])
            : throw new InvalidOperationException($"Requests failed:\n{output}");
    }

    private static async Task PagesAsync(ApiProcess api, int jobs)
    {
        Console.WriteLine(
            $"## Pages of the list\n\n`GET /jobs?limit={PageSize}`, ten pages from each place on, one request at a time.\n\n| after "
                + "so many jobs | median ms | largest ms |\n|---|---|---|"
        );
        foreach (var share in new[] { 0, 0.25, 0.5, 0.75, 1 })
        {
            var cursor = jobs - (long)(share * (jobs - 11 * PageSize)) + 1;
            var skipped = jobs + 1 - cursor;
            var times = new List<double>();
            for (var page = -2; page < 10; page++)
            {
                var clock = Stopwatch.StartNew();
                var answer = await api.Http.GetStringAsync($"/jobs?limit={PageSize}&cursor={cursor}");
                if (page < 0)
                    continue;
                times.Add(clock.Elapsed.TotalMilliseconds);
                cursor = long.Parse(JsonNode.Parse(answer)!["next"]!.GetValue<string>(), CultureInfo.InvariantCulture);
            }
            Console.WriteLine($"| {skipped:N0} | {times.Median():F2} | {times.Max():F2} |");
        }
        Console.WriteLine();
    }

    /// <summary>Stores jobs that have succeeded, with all their epochs.</summary>
    private static async Task<IReadOnlyList<Guid>> StoreAsync(TestDatabase database, int jobs, int epochs)
    {
        var clock = Stopwatch.StartNew();
        var ids = Enumerable.Range(0, jobs).Select(_ => Guid.CreateVersion7()).Order().ToList();
        await using var connection = await database.DataSource.OpenConnectionAsync();
        // The job of each epoch exists, so PostgreSQL need not check it 100 million times.
        await ExecuteAsync(connection, "SET session_replication_role = replica");
        await using (
            var copy = await connection.BeginBinaryImportAsync(
                "COPY jobs (id, spec, state, attempt, failures, claimed_at, training_started_at, finished_at, result) FROM STDIN "
                    + "(FORMAT BINARY)"
            )
        )
        {
            copy.Timeout = Timeout.InfiniteTimeSpan;
            var result = Json.Write(
                new JobResult(0.9912, 0.1345, 0.1051, -0.1051, epochs, "cpu", 2, "libtorch 1.13.0", new string('a', 64), [])
            );
            for (var i = 0; i < jobs; i++)
            {
                var (spec, now) = (
                    new JobSpec
                    {
                        Dataset = i % 3 == 0 ? "digits" : "mnist",
                        Epsilon = 0.1 * (i % 4),
                        Epochs = epochs,
                        Seed = i,
                        Tags = [$"team{i % 7}"],
                    },
                    DateTime.UtcNow
                );
                await copy.StartRowAsync();
                await copy.WriteAsync(ids[i], NpgsqlDbType.Uuid);
                await copy.WriteAsync(Json.Write(spec), NpgsqlDbType.Jsonb);
                await copy.WriteAsync("succeeded", NpgsqlDbType.Text);
                await copy.WriteAsync(1, NpgsqlDbType.Integer);
                await copy.WriteAsync(0, NpgsqlDbType.Integer);
                for (var time = 0; time < 3; time++)
                    await copy.WriteAsync(now, NpgsqlDbType.TimestampTz);
                await copy.WriteAsync(result, NpgsqlDbType.Jsonb);
            }
            await copy.CompleteAsync();
        }
        await using (
            var copy = await connection.BeginBinaryImportAsync(
                "COPY epochs (job_id, epoch, attempt, train_loss, train_accuracy, validation_loss, validation_accuracy, ece, "
                    + "signed_gap, learning_rate, seconds, images_per_second) FROM STDIN (FORMAT BINARY)"
            )
        )
        {
            copy.Timeout = Timeout.InfiniteTimeSpan;
            for (var i = 0; i < jobs; i++)
            for (var epoch = 1; epoch <= epochs; epoch++)
            {
                copy.StartRow();
                copy.Write(ids[i], NpgsqlDbType.Uuid);
                copy.Write(epoch, NpgsqlDbType.Integer);
                copy.Write(1, NpgsqlDbType.Integer);
                for (var figure = 1; figure <= 9; figure++)
                    copy.Write(1.0 / (i % 1000 + 3) + figure / (epoch + 1.0), NpgsqlDbType.Double);
            }
            await copy.CompleteAsync();
        }
        var (copied, rows) = (clock.Elapsed, (long)jobs * epochs);
        await ExecuteAsync(connection, "VACUUM (ANALYZE) jobs, epochs");
        var size = await database.ScalarAsync<long>("SELECT pg_database_size(current_database())");
        Console.WriteLine(
            $"{jobs:N0} jobs and {rows:N0} rows of metrics, {size / 1e9:F1} GB with their indexes: copied in {copied.TotalSeconds:F0} "
                + $"s by COPY, then vacuumed and analyzed in {(clock.Elapsed - copied).TotalSeconds:F0} s.\n"
        );
        return ids;
    }

    private static async Task ExecuteAsync(NpgsqlConnection connection, string sql)
    {
        await using var command = new NpgsqlCommand(sql, connection) { CommandTimeout = 0 };
        await command.ExecuteNonQueryAsync();
    }
}

/// <summary><see cref="MinimalApi"/> in its own process, with the same garbage collector as the API.</summary>
internal sealed class MinimalProcess : IAsyncDisposable
{
    private readonly Process process;

    private MinimalProcess(Process process, Uri address) => (this.process, Http) = (process, new HttpClient { BaseAddress = address });

    public HttpClient Http { get; }

    public static async Task<MinimalProcess> StartAsync(string connectionString)
    {
        var address = new Uri($"http://127.0.0.1:{ApiProcess.FreePort()}");
        var start = new ProcessStartInfo(Environment.ProcessPath!, ["minimal-api", address.ToString()]);
        start.Environment["ConnectionStrings__Temper"] = connectionString;
        var minimal = new MinimalProcess(Process.Start(start)!, address);
        await Eventually.TrueAsync(async () =>
        {
            try
            {
                return (await minimal.Http.GetAsync($"/jobs/{Guid.Empty}")).StatusCode == HttpStatusCode.NotFound;
            }
            catch (HttpRequestException)
            {
                return false;
            }
        });
        return minimal;
    }

    public async ValueTask DisposeAsync()
    {
        process.Kill();
        await process.WaitForExitAsync();
        process.Dispose();
        Http.Dispose();
    }
}
