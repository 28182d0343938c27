namespace Temper.EndToEnd;

/// <summary>Tests that kill, stop and starve real processes.</summary>
public class SurvivalTests : EndToEndTest
{
    private static readonly object Spec = new
    {
        dataset = "digits",
        epsilon = 0.1,
        epochs = 6,
    };

    [Fact]
    public async Task Runner_Killed_CostsOneAttemptAndTheJobFinishes()
    {
        var worker = await StartWorkerAsync();
        var id = await Api.SubmitAsync(Spec);
        await EpochsAsync(id, 1);

        await TemperProcess.SignalAsync(Assert.Single(worker.Runners()), "KILL");

        var job = await Api.FinishedJobAsync(id, TimeSpan.FromSeconds(60));
        Assert.Equal("succeeded", State(job));
        Assert.Equal((2, 1), (job["attempt"]!.GetValue<int>(), job["failures"]!.GetValue<int>()));
        Assert.Equal(Enumerable.Range(1, 6), (await MetricsAsync(id)).Select(epoch => epoch!["epoch"]!.GetValue<int>()));
        Assert.False(worker.HasExited);
    }

    [Fact]
    public async Task Worker_KilledAfterACheckpoint_TheNextGoesOnFromItToTheSameBits()
    {
        var spec = new
        {
            dataset = "digits",
            epsilon = 0.1,
            epochs = 8,
            seed = 3,
            learningRate = 0.02, // the third epoch is the best
            keep = "nll",
        };
        var doomed = await StartWorkerAsync(null, ("Worker__CheckpointSeconds", "1"));
        var id = await Api.SubmitAsync(spec);
        await Eventually.TrueAsync(
            async () => await Database.ScalarAsync<long>("SELECT count(*) FROM checkpoints") == 1 && (await MetricsAsync(id)).Count >= 4,
            TimeSpan.FromSeconds(60)
        );
        await doomed.KillAsync();
        await StartWorkerAsync();
        var resumed = await Api.FinishedJobAsync(id, TimeSpan.FromSeconds(90));
        var untouched = await Api.FinishedJobAsync(await Api.SubmitAsync(spec), TimeSpan.FromSeconds(90));

        Assert.Equal((2, "succeeded"), (resumed["attempt"]!.GetValue<int>(), State(resumed)));
        Assert.True(JsonNode.DeepEquals(untouched["result"], resumed["result"]), resumed["result"]!.ToJsonString());
        var metrics = await MetricsAsync(id);
        var best = metrics.MinBy(epoch => epoch!["validationLoss"]!.GetValue<double>())!["epoch"]!.GetValue<int>();
        Assert.Equal((8, best), (metrics.Count, resumed["result"]!["keptEpoch"]!.GetValue<int>()));
        Assert.True(
            await Database.ScalarAsync<long>($"SELECT count(*) FROM epochs WHERE job_id = '{id}' AND attempt = 1") > 0,
            "It began anew."
        );
        Assert.Equal(0, await Database.ScalarAsync<long>("SELECT count(*) FROM checkpoints"));
    }

    [Fact]
    public async Task Runner_KilledEachTime_FailsTheJobWhenItsAttemptsAreUsedUp()
    {
        var worker = await StartWorkerAsync();
        var id = await Api.SubmitAsync(
            new
            {
                dataset = "digits",
                epsilon = 0.1,
                epochs = 5000,
                maxAttempts = 2,
            }
        );
        for (var attempt = 1; attempt <= 2; attempt++)
        {
            await Eventually.TrueAsync(async () =>
                (await Api.JobAsync(id)) is var job && job["attempt"]!.GetValue<int>() == attempt && job["trainingStartedAt"] is not null
            );
            foreach (var runner in worker.Runners())
                await TemperProcess.SignalAsync(runner, "KILL");
        }

        var failed = await Api.FinishedJobAsync(id, TimeSpan.FromSeconds(30));

        Assert.Equal("failed", State(failed));
        Assert.Equal(2, failed["failures"]!.GetValue<int>());
        Assert.Contains("The runner was ended by signal 9", failed["reason"]!.GetValue<string>());
        Assert.False(worker.HasExited);
    }

    [Fact]
    public async Task Report_TheDatabaseRefuses_FailsThatAttemptAndLeavesNothingOfItToTheNextJob()
    {
        await Database.ExecuteAsync(
            """
            CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
            $$ BEGIN IF NEW.epoch > 3 THEN RAISE EXCEPTION 'no room for more' USING ERRCODE = '22000'; END IF; RETURN NEW; END $$;
            CREATE TRIGGER refuse BEFORE INSERT ON epochs FOR EACH ROW EXECUTE FUNCTION refuse();
            """
        );
        var refused = await Api.SubmitAsync(
            new
            {
                dataset = "digits",
                epsilon = 0.1,
                epochs = 400,
                maxAttempts = 1,
            }
        );
        var next = await Api.SubmitAsync(
            new
            {
                dataset = "digits",
                epsilon = 0.3,
                epochs = 2,
            }
        );
        await StartWorkerAsync();

        var (failed, done) = (
            await Api.FinishedJobAsync(refused, TimeSpan.FromSeconds(60)),
            await Api.FinishedJobAsync(next, TimeSpan.FromSeconds(60))
        );

        Assert.Contains("no room for more", failed["reason"]!.GetValue<string>());
        Assert.Equal("failed", State(failed));
        Assert.Equal([1, 2, 3], (await MetricsAsync(refused)).Select(epoch => epoch!["epoch"]!.GetValue<int>()));
        Assert.Equal("succeeded", State(done));
        Assert.Equal([1, 2], (await MetricsAsync(next)).Select(epoch => epoch!["epoch"]!.GetValue<int>()));
    }

    [Fact]
    public async Task Report_WhileTheDatabaseOnlyReads_WaitsAndCostsNothing()
    {
        await Database.ExecuteAsync(
            """
            CREATE TABLE closed (at timestamptz);
            CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
            $$ BEGIN IF EXISTS (SELECT FROM closed) THEN RAISE EXCEPTION 'read only for now' USING ERRCODE = '25006'; END IF; RETURN
                NEW; END $$;
            CREATE TRIGGER refuse BEFORE INSERT OR UPDATE ON epochs FOR EACH ROW EXECUTE FUNCTION refuse();
            """
        );
        var worker = await StartWorkerAsync();
        var id = await Api.SubmitAsync(
            new
            {
                dataset = "digits",
                epsilon = 0.1,
                epochs = 6,
                maxAttempts = 1,
            }
        );
        await EpochsAsync(id, 1);
        await Database.ExecuteAsync("INSERT INTO closed VALUES (now())");
        await Eventually.TrueAsync(() => Task.FromResult(worker.Output.Contains("trying again: 25006")));
        await Database.ExecuteAsync("DELETE FROM closed");

        var job = await Api.FinishedJobAsync(id, TimeSpan.FromSeconds(60));

        Assert.Equal(("succeeded", 1, 0), (State(job), job["attempt"]!.GetValue<int>(), job["failures"]!.GetValue<int>()));
        Assert.Equal(6, (await MetricsAsync(id)).Count);
    }

    [Fact]
    public async Task Runner_OutOfMemory_CostsThatJobItsAttemptAndNotTheNext()
    {
        var worker = await StartWorkerAsync();
        var runner = Assert.Single(worker.Runners());
        var used =
            long.Parse(
                File.ReadLines($"/proc/{runner}/status")
                    .Single(line => line.StartsWith("VmSize:"))
                    .Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries)[1]
            ) * 1024;
        await TemperProcess.RunAsync("prlimit", "--pid", runner.ToString(), $"--as={used + (100 << 20)}");

        var large = await Api.SubmitAsync(
            new
            {
                dataset = "digits",
                epsilon = 0.1,
                epochs = 1,
                batchSize = 3600,
                maxAttempts = 1,
            }
        );
        var next = await Api.SubmitAsync(
            new
            {
                dataset = "digits",
                epsilon = 0.1,
                epochs = 1,
                maxAttempts = 1,
            }
        );

        Assert.Equal("failed", State(await Api.FinishedJobAsync(large, TimeSpan.FromSeconds(60))));
        var done = await Api.FinishedJobAsync(next, TimeSpan.FromSeconds(60));
        Assert.Equal(("succeeded", 1), (State(done), done["attempt"]!.GetValue<int>()));
        Assert.DoesNotContain(runner, worker.Runners());
    }

    [Fact]
    public async Task Runner_InItsProcess_KnowsNoPasswordAndKeepsTheProtocolApart()
    {
        var worker = await StartWorkerAsync();
        var runner = Assert.Single(worker.Runners());
        Assert.DoesNotContain("ConnectionStrings", File.ReadAllText($"/proc/{runner}/environ"));
        Assert.Contains($"TEMPER_HOME={Home}", File.ReadAllText($"/proc/{runner}/environ"));
        var id = await Api.SubmitAsync(Spec);

        // A native library may write to standard output like this.
        File.WriteAllText($"/proc/{runner}/fd/1", "onednn_verbose,info\n{}\n");

        Assert.Equal("succeeded", State(await Api.FinishedJobAsync(id, TimeSpan.FromSeconds(60))));
        Assert.Equal([runner], worker.Runners());
    }

    [Fact]
    public async Task Worker_KilledHard_ItsJobRunsElsewhereAndItsRunnerDiesWithIt()
    {
        WorkerProcess[] workers = [await StartWorkerAsync(), await StartWorkerAsync()];
        var id = await Api.SubmitAsync(Spec);
        await EpochsAsync(id, 1);
        var owner = (await Api.JobAsync(id))["worker"]!.GetValue<string>();
        var doomed = workers.Single(worker => owner.EndsWith($":{worker.Id}", StringComparison.Ordinal));
        var runner = Assert.Single(doomed.Runners());

        await doomed.KillAsync();

        await Eventually.TrueAsync(() => Task.FromResult(!Directory.Exists($"/proc/{runner}")));
        var job = await Api.FinishedJobAsync(id, TimeSpan.FromSeconds(60));
        Assert.Equal("succeeded", State(job));
        Assert.Equal((2, 1), (job["attempt"]!.GetValue<int>(), job["failures"]!.GetValue<int>()));
        Assert.Equal(6, (await MetricsAsync(id)).Count);
    }

    [Fact]
    public async Task Worker_ToldToStop_HandsItsJobBackUncountedAndLeaves()
    {
        var leaving = await StartWorkerAsync();
        var id = await Api.SubmitAsync(Spec);
        await EpochsAsync(id, 1);

        await leaving.SignalAsync("TERM");
        await leaving.WaitForExitAsync(TimeSpan.FromSeconds(10));

        Assert.Equal(0, leaving.ExitCode);
        var job = await Api.JobAsync(id);
        Assert.Equal(
            ("queued", "its worker shut down", 0),
            (State(job), job["reason"]!.GetValue<string>(), job["failures"]!.GetValue<int>())
        );
        Assert.Empty((await Api.GetAsync("/workers"))["items"]!.AsArray());

        Assert.Equal(1, await Database.ScalarAsync<long>("SELECT count(*) FROM checkpoints")); // made at the worker's shutdown

        await StartWorkerAsync();
        job = await Api.FinishedJobAsync(id, TimeSpan.FromSeconds(60));
        Assert.Equal("succeeded", State(job));
        Assert.Equal((2, 0), (job["attempt"]!.GetValue<int>(), job["failures"]!.GetValue<int>()));
    }

    [Fact]
    public async Task Worker_StalledForThreeSeconds_KeepsItsJob()
    {
        var stalled = await StartWorkerAsync();
        var id = await Api.SubmitAsync(LongSpec);
        await EpochsAsync(id, 1);
        await StartWorkerAsync();

        await stalled.SignalAsync("STOP");
        await Task.Delay(TimeSpan.FromSeconds(3)); // the stall itself
        await stalled.SignalAsync("CONT");

        var epochs = (await MetricsAsync(id)).Count;
        await EpochsAsync(id, epochs + 2);
        Assert.Equal((1, 0), await AttemptsAsync(id));
    }

    [Fact]
    public async Task Worker_StalledBeyondItsLease_LosesItsJobAndWritesNothingMore()
    {
        var stalled = await StartWorkerAsync(null, ("Worker__LeaseSeconds", "5"));
        var id = await Api.SubmitAsync(LongSpec);
        await EpochsAsync(id, 1);
        var other = await StartWorkerAsync(null, ("Worker__LeaseSeconds", "5"));

        await stalled.SignalAsync("STOP");
        await Eventually.TrueAsync(async () => (await Api.JobAsync(id))["attempt"]!.GetValue<int>() == 2, TimeSpan.FromSeconds(30));
        await stalled.SignalAsync("CONT");

        await Eventually.TrueAsync(() => Task.FromResult(stalled.Output.Contains("lost: it was taken away")));
        await EpochsAsync(id, 3);
        Assert.Equal((2, 1), await AttemptsAsync(id));
        var owner = (await Api.JobAsync(id))["worker"]!.GetValue<string>();
        Assert.EndsWith($":{other.Id}", owner);
    }

    [Fact]
    public async Task Worker_WhoseConnectionsDropAndComeBack_KeepsItsJob()
    {
        using var proxy = new TcpProxy(Database.ConnectionString);
        await StartWorkerAsync(proxy.ConnectionString);
        var id = await Api.SubmitAsync(
            new
            {
                dataset = "digits",
                epsilon = 0.1,
                epochs = 20,
            }
        );
        await EpochsAsync(id, 1);
        await StartWorkerAsync(); // a second worker that could rescue the job

        for (var i = 0; i < 4; i++)
        {
            proxy.Cut();
            await Task.Delay(TimeSpan.FromSeconds(0.5)); // the drop itself
            proxy.Mend();
            await Task.Delay(TimeSpan.FromSeconds(1));
        }

        var job = await Api.FinishedJobAsync(id, TimeSpan.FromSeconds(60));
        Assert.Equal("succeeded", State(job));
        Assert.Equal((1, 0), await AttemptsAsync(id));
        Assert.Equal(20, (await MetricsAsync(id)).Count);
    }

    private async Task<(int Attempt, int Failures)> AttemptsAsync(Guid id)
    {
        var job = await Api.JobAsync(id);
        return (job["attempt"]!.GetValue<int>(), job["failures"]!.GetValue<int>());
    }
}
