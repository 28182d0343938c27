using System.Diagnostics;
using Npgsql;

namespace Temper.EndToEnd;

public sealed class BackupTests : EndToEndTest
{
    [Fact]
    public async Task Dump_RestoredIntoAnEmptyCluster_AnswersTheSameAndGoesOn()
    {
        var worker = await StartWorkerAsync();
        var finished = (await TrainShortJobAsync())["id"]!.GetValue<Guid>();
        var running = await Api.SubmitAsync(
            new
            {
                dataset = "digits",
                epsilon = 0.1,
                epochs = 6,
            }
        );
        await EpochsAsync(running, 1);
        var dump = Path.Combine(Home, "temper.dump");

        await RunAsync("pg_dump", Database.ConnectionString, $"--format=custom --file={dump}");

        Assert.Equal("running", State(await Api.JobAsync(running))); // so it was at the moment of the dump
        await worker.KillAsync();
        await using var server = await PostgresServer.StartAsync();
        await RunAsync("pg_restore", server.ConnectionString, $"--no-owner --exit-on-error {dump}");
        await using var api = await ApiProcess.StartAsync(server.ConnectionString);
        foreach (var path in new[] { "", "/metrics", "/attempts", "/calibration", "/logits?split=test", "/model", "/model?format=onnx" })
            Assert.Equal(
                await Api.Http.GetByteArrayAsync($"/jobs/{finished}{path}"),
                await api.Http.GetByteArrayAsync($"/jobs/{finished}{path}")
            );

        await using var successor = await WorkerProcess.StartOfOneThreadAsync(server.ConnectionString, Home);
        var job = await api.FinishedJobAsync(running, TimeSpan.FromSeconds(60));
        Assert.Equal(("succeeded", 2), (State(job), job["attempt"]!.GetValue<int>()));
        Assert.Equal(6, (await api.GetAsync($"/jobs/{running}/metrics"))["items"]!.AsArray().Count);
    }

    /// <summary>Runs a client of PostgreSQL's on the database of a connection string.</summary>
    private static async Task RunAsync(string program, string connectionString, string arguments)
    {
        var database = new NpgsqlConnectionStringBuilder(connectionString);
        var start = new ProcessStartInfo(
            program,
            $"--host={database.Host} --port={database.Port} --username={database.Username} --dbname={database.Database} {arguments}"
        )
        {
            RedirectStandardError = true,
        };
        start.Environment["PGPASSWORD"] = database.Password;
        using var client = Process.Start(start)!;
        var errors = await client.StandardError.ReadToEndAsync();
        await client.WaitForExitAsync();
        Assert.True(client.ExitCode == 0, errors);
    }
}
