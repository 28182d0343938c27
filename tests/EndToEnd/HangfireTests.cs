using Hangfire.Server;
using Microsoft.EntityFrameworkCore;
using Npgsql;
using Temper.Store;
using Temper.Store.Engine;

namespace Temper.EndToEnd;

/// <summary>Tests what Hangfire records of attempts, read from its tables as its dashboard does.</summary>
public sealed class HangfireTests : EndToEndTest
{
    [Fact]
    public async Task Attempts_HoweverTheyEnd_HaveTheStateThatSaysSoAndExpire()
    {
        var worker = await StartWorkerAsync();
        var succeeded = await Api.SubmitAsync(
            new
            {
                dataset = "digits",
                epsilon = 0.1,
                epochs = 1,
            }
        );
        await Api.FinishedJobAsync(succeeded, TimeSpan.FromSeconds(60));
        var cancelled = await RunningAsync();
        await Api.Http.PostAsync($"/jobs/{cancelled}/cancel", null);
        var paused = await RunningAsync();
        await Api.Http.PostAsync($"/jobs/{paused}/pause", null);
        var crashed = await RunningAsync(maxAttempts: 1);
        await TemperProcess.SignalAsync(Assert.Single(worker.Runners()), "KILL");
        await Api.FinishedJobAsync(crashed, TimeSpan.FromSeconds(30));
        var handedBack = await RunningAsync();
        await worker.SignalAsync("TERM");
        await worker.SignalAsync("TERM"); // a second signal does no harm
        await worker.WaitForExitAsync(TimeSpan.FromSeconds(15));

        Assert.Equal("Succeeded", (await HangfireAsync(succeeded)).State);
        Assert.Equal(("Deleted", "cancelled: cancelled while running"), await HangfireAsync(cancelled));
        Assert.Equal(("Deleted", "paused: paused while running"), await HangfireAsync(paused));
        Assert.Equal("Failed", (await HangfireAsync(crashed)).State);
        Assert.Contains(
            "The runner was ended by signal 9",
            await Database.ScalarAsync<string>("SELECT data->>'ExceptionMessage' FROM hangfire.state WHERE name = 'Failed'")
        );
        Assert.Equal(("Deleted", "handed_back: its worker shut down"), await HangfireAsync(handedBack));
        Assert.Equal(["handedBack"], await OutcomesAsync(handedBack));
        Assert.Equal(0, worker.ExitCode);
        Assert.Equal(
            0,
            await Database.ScalarAsync<long>(
                "SELECT count(*) FROM hangfire.job WHERE invocationdata->>'Type' LIKE '%ITraining%' AND expireat IS NULL"
            )
        );
        Assert.Equal(0, await Database.ScalarAsync<long>("SELECT count(*) FROM hangfire.server"));
        await Database.ExecuteAsync("UPDATE hangfire.job SET expireat = expireat - interval '7 days'");
        await ExpireAsync();
        foreach (var table in new[] { "job", "state", "jobparameter", "jobqueue", "lock", "server" })
            Assert.Equal((table, 0L), (table, await Database.ScalarAsync<long>($"SELECT count(*) FROM hangfire.{table}")));
    }

    [Fact]
    public async Task Attempt_WhoseWorkerWasKilled_IsShownAsLostWithin15Seconds()
    {
        var doomed = await StartWorkerAsync();
        var id = await RunningAsync();
        var other = await StartWorkerAsync();
        await doomed.KillAsync();

        await Eventually.TrueAsync(async () => await HangfireAsync(id) == ("Deleted", "lost: its worker died"), TimeSpan.FromSeconds(15));
        await Eventually.TrueAsync(
            async () => await Database.ScalarAsync<long>("SELECT count(*) FROM hangfire.server") == 1,
            TimeSpan.FromSeconds(20)
        );
        await Eventually.TrueAsync(async () => (await HangfireAsync(id, attempt: 2)).State == "Processing", TimeSpan.FromSeconds(15));
        Assert.False(other.HasExited);
    }

    /// <summary>
    /// Hangfire considers its server dead and starts another in the same process, beside the training of the old one.
    /// </summary>
    [Fact]
    public async Task Training_WhoseServerHangfireRestarts_GoesOnAndIsToldOfInTheEnd()
    {
        var worker = await StartWorkerAsync();
        var id = await Api.SubmitAsync(
            new
            {
                dataset = "digits",
                epsilon = 0.1,
                epochs = 6,
            }
        );
        await EpochsAsync(id, 1);
        var runner = Assert.Single(worker.Runners());
        await TemperProcess.SignalAsync(runner, "STOP"); // the training lasts until the other server is there
        await Database.ExecuteAsync("DELETE FROM hangfire.server");
        await Eventually.TrueAsync(
            async () => await Database.ScalarAsync<long>("SELECT count(*) FROM hangfire.server") == 1,
            TimeSpan.FromSeconds(20)
        );
        var second = await Api.SubmitAsync(
            new
            {
                dataset = "digits",
                epsilon = 0.1,
                epochs = 1,
            }
        );
        await Task.Delay(TimeSpan.FromSeconds(2)); // long enough for a claim if one were due
        Assert.Equal(("running", "queued"), (State(await Api.JobAsync(id)), State(await Api.JobAsync(second))));
        await TemperProcess.SignalAsync(runner, "CONT");

        var (first, next) = (
            await Api.FinishedJobAsync(id, TimeSpan.FromSeconds(60)),
            await Api.FinishedJobAsync(second, TimeSpan.FromSeconds(60))
        );

        Assert.Equal(("succeeded", 1), (State(first), first["attempt"]!.GetValue<int>()));
        Assert.Equal("succeeded", State(next));
        Assert.True(
            next["claimedAt"]!.GetValue<DateTimeOffset>() >= first["finishedAt"]!.GetValue<DateTimeOffset>().AddMilliseconds(-50),
            "Two ran on one slot."
        );
        await Eventually.TrueAsync(async () => (await HangfireAsync(id)).State == "Succeeded", TimeSpan.FromSeconds(15));
        Assert.False(worker.HasExited);
    }

    /// <summary>
    /// Hangfire's tables refuse writes that the jobs table accepts: the claims go back without counting as failures, and no job
    /// is lost.
    /// </summary>
    [Fact]
    public async Task Claims_WhileHangfiresTablesRefuse_GoBackUncountedAndRunAfterwards()
    {
        await StartWorkerAsync();
        await Database.ExecuteAsync(
            """
            CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no room for more' USING ERRCODE =
                '22000'; END $$;
            CREATE TRIGGER refuse BEFORE INSERT ON hangfire.job FOR EACH ROW EXECUTE FUNCTION refuse();
            """
        );
        var id = await Api.SubmitAsync(
            new
            {
                dataset = "digits",
                epsilon = 0.1,
                epochs = 1,
            }
        );
        await Eventually.TrueAsync(async () => (await OutcomesAsync(id)) is ["handedBack", "handedBack", ..], TimeSpan.FromSeconds(20));
        await Database.ExecuteAsync("DROP TRIGGER refuse ON hangfire.job");

        var job = await Api.FinishedJobAsync(id, TimeSpan.FromSeconds(60));

        Assert.Equal(("succeeded", 0), (State(job), job["failures"]!.GetValue<int>()));
    }

    [Fact]
    public async Task FourProcesses_OnAnEmptyDatabase_ComeUpWithoutAnError()
    {
        await using var empty = await TestDatabase.CreateEmptyAsync();
        var apis = new[] { ApiProcess.Start(empty.ConnectionString), ApiProcess.Start(empty.ConnectionString) };
        var workers = new[] { WorkerProcess.Start(empty.ConnectionString, Home), WorkerProcess.Start(empty.ConnectionString, Home) };
        TemperProcess[] all = [.. apis, .. workers];
        try
        {
            await Eventually.TrueAsync(
                async () =>
                    workers.All(worker => worker.IsReady)
                    && await apis[0].AnswersAsync("/health/ready")
                    && await apis[1].AnswersAsync("/health/ready"),
                TimeSpan.FromSeconds(60)
            );
            await apis[0]
                .FinishedJobAsync(
                    await apis[0]
                        .SubmitAsync(
                            new
                            {
                                dataset = "digits",
                                epsilon = 0.1,
                                epochs = 1,
                            }
                        ),
                    TimeSpan.FromSeconds(60)
                );

            foreach (var process in all)
                Assert.DoesNotMatch("(?m)^[0-9:]* ?(warn|fail|crit)", process.Output);
        }
        finally
        {
            foreach (var process in all)
                await process.DisposeAsync();
        }
    }

    /// <summary>
    /// One job waits and another runs while Hangfire's tables are missing, as after a restore of Temper's own tables.
    /// </summary>
    [Fact]
    public async Task Database_WithoutHangfiresTables_GetsThemAndKeepsItsJobs()
    {
        await using var old = await TestDatabase.CreateEmptyAsync();
        await using (var db = new TemperDb(new DbContextOptionsBuilder<TemperDb>().UseNpgsql(old.DataSource).Options))
            await db.Database.MigrateAsync();
        const string spec = """
            {"dataset":"digits","epsilon":0.1,"epochs":2,"smoothing":"uniform","model":"cnn","batchSize":128,"optimizer":"adam",
             "learningRate":0.001,"schedule":"constant","validationFraction":0.1,"maxAttempts":3,"device":"auto","priority":0,"tags":[]}
            """;
        var (waiting, running) = (Guid.CreateVersion7(), Guid.CreateVersion7());
        await old.ExecuteAsync(
            $"""
            INSERT INTO workers (id, name, presence_key, device, slots, heartbeat_at)
            VALUES (gen_random_uuid(), 'old:1', 42, 'cpu', 1, clock_timestamp() - interval '1 minute');
            INSERT INTO jobs (id, spec, state, attempt, failures) VALUES ('{waiting}', '{spec}', 'queued', 0, 0);
            INSERT INTO jobs (id, spec, state, attempt, failures, worker_id, claimed_at)
            SELECT '{running}', '{spec}', 'running', 1, 0, id, clock_timestamp() FROM workers;
            INSERT INTO checkpoints (job_id, data) VALUES ('{running}', 'of another build');
            """
        );

        await using var api = await ApiProcess.StartAsync(old.ConnectionString);
        await using var worker = await WorkerProcess.StartAsync(old.ConnectionString, Home);
        var first = await api.FinishedJobAsync(waiting, TimeSpan.FromSeconds(60));
        var second = await api.FinishedJobAsync(running, TimeSpan.FromSeconds(60));

        Assert.Equal(("succeeded", 1), (State(first), first["attempt"]!.GetValue<int>()));
        Assert.Equal(("succeeded", 2), (State(second), second["attempt"]!.GetValue<int>()));
        var attempts = (await api.GetAsync($"/jobs/{running}/attempts"))["items"]!.AsArray();
        Assert.Equal(["lost", "succeeded"], attempts.Select(attempt => attempt!["outcome"]!.GetValue<string>()));
        Assert.Contains("began anew", attempts[1]!["note"]!.GetValue<string>());
    }

    /// <summary>
    /// Runs Hangfire's own removal of expired rows. Each server does it when it starts, and every five minutes.
    /// </summary>
    private async Task ExpireAsync()
    {
        var trainings = new AttemptQueue(Database.DataSource);
        var storage = EngineStorage.Open(Database.ConnectionString, trainings, connections: 4, commandSeconds: 10);
        using (new BackgroundProcessingServer(storage, []))
            await Eventually.TrueAsync(async () => await Database.ScalarAsync<long>("SELECT count(*) FROM hangfire.job") == 0);
    }

    private async Task<Guid> RunningAsync(int maxAttempts = 3)
    {
        var id = await Api.SubmitAsync(
            new
            {
                dataset = "digits",
                epsilon = 0.1,
                epochs = 5000,
                maxAttempts,
            }
        );
        await EpochsAsync(id, 1);
        return id;
    }

    /// <returns>The state and reason of Hangfire's job for the attempt, or `none` if Hangfire has no such job.</returns>
    private async Task<(string State, string? Reason)> HangfireAsync(Guid id, int attempt = 1)
    {
        await using var command = Database.DataSource.CreateCommand(
            """
            SELECT job.statename, state.reason FROM hangfire.job JOIN hangfire.state ON state.id = job.stateid
            WHERE invocationdata->>'Type' LIKE '%ITraining%' AND arguments->>0 = $1 AND arguments->>1 = $2
            """
        );
        command.Parameters.Add(new NpgsqlParameter { Value = $"\"{id}\"" });
        command.Parameters.Add(new NpgsqlParameter { Value = $"{attempt}" });
        await using var row = await command.ExecuteReaderAsync();
        return await row.ReadAsync() ? (row.GetString(0), row.IsDBNull(1) ? null : row.GetString(1)) : ("none", null);
    }
}
