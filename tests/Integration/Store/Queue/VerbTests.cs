using Temper.Domain.Jobs;

namespace Temper.Integration.Store.Queue;

/// <summary>Tests pause, resume, retry and delete, and every verb in every state.</summary>
public class VerbTests : QueueTest
{
    /// <summary>Every verb in every state; running jobs also with each stop request.</summary>
    public static TheoryData<JobVerb, JobState, StopRequest?> Cases()
    {
        var cases = new TheoryData<JobVerb, JobState, StopRequest?>();
        foreach (var verb in Enum.GetValues<JobVerb>())
        {
            foreach (var state in Enum.GetValues<JobState>())
                cases.Add(verb, state, null);
            foreach (var stop in Enum.GetValues<StopRequest>())
                cases.Add(verb, JobState.Running, stop);
        }
        return cases;
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public async Task Verb_InAState_HasAnEffectWhereTheLifecycleSaysSoAndElseChangesNothing(JobVerb verb, JobState state, StopRequest? stop)
    {
        var id = await JobInAsync(state, stop);
        var before = await RowAsync(id);

        var applied = await ApplyAsync(verb, id);

        var allowed = stop switch
        {
            null => JobLifecycle.StatesThatAllow(verb).Contains(state),
            StopRequest.Cancel => verb == JobVerb.Cancel,
            _ => verb is JobVerb.Cancel or JobVerb.Resume,
        };
        Assert.Equal(allowed, applied);
        if (!applied)
            Assert.Equal(before, await RowAsync(id));
        else if (verb == JobVerb.Delete)
            Assert.Equal("", await RowAsync(id));
        else
            Assert.Equal(Expected(verb, state), ((await JobAsync(id)).State, (await JobAsync(id)).StopRequested));
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public async Task Verb_Twice_ChangesNothingMore(JobVerb verb, JobState state, StopRequest? stop)
    {
        var id = await JobInAsync(state, stop);
        await ApplyAsync(verb, id);
        var once = await RowAsync(id);

        await ApplyAsync(verb, id);

        Assert.Equal(once, await RowAsync(id));
    }

    [Fact]
    public async Task Pause_ARunningJob_IsCarriedOutWithItsCheckpointKeptAndNothingCounted()
    {
        var job = await SubmitAndClaimAsync();
        await Queue.PauseAsync(job.Id, default);
        await Queue.ReportAsync(job, [], [7], default);

        Assert.True(await Queue.HandBackAsync(job, "test", default));

        var paused = await JobAsync(job.Id);
        Assert.Equal((JobState.Paused, 0, "paused while running"), (paused.State, paused.Failures, paused.Reason));
        Assert.Equal("paused while running", await ReasonAsync(job.Id));
        Assert.Null(await Queue.ClaimAsync(Worker.Id, false, default));
        Assert.True(await Queue.ResumeAsync(job.Id, default));
        var resumed = await ClaimAsync();
        Assert.Equal([7], await Queue.ReadCheckpointAsync(resumed, default));
    }

    [Fact]
    public async Task Resume_WhileTheWorkerIsAboutToPause_LetsTheJobRunOn()
    {
        var job = await SubmitAndClaimAsync();
        await Queue.PauseAsync(job.Id, default);
        await Queue.ResumeAsync(job.Id, default);

        await Queue.HandBackAsync(job, "its user withdrew the request to stop it", default);

        Assert.Equal(JobState.Queued, (await JobAsync(job.Id)).State);
        Assert.Equal(2, (await ClaimAsync()).Attempt);
        Assert.Equal("its user withdrew the request to stop it", await ReasonAsync(job.Id));
    }

    [Theory]
    [InlineData(StopRequest.Pause, 3, JobState.Paused)]
    [InlineData(StopRequest.Pause, 1, JobState.Failed)]
    [InlineData(StopRequest.Cancel, 3, JobState.Cancelled)]
    [InlineData(StopRequest.Cancel, 1, JobState.Cancelled)]
    public async Task GiveBack_WithAStopAskedFor_LeadsWhereTheUserWants(StopRequest stop, int maxAttempts, JobState next)
    {
        var job = await SubmitAndClaimAsync(Spec with { MaxAttempts = maxAttempts });
        await ApplyAsync(stop == StopRequest.Pause ? JobVerb.Pause : JobVerb.Cancel, job.Id);

        await Queue.GiveBackAsync(job, "it crashed", null, default);

        Assert.Equal((next, null), ((await JobAsync(job.Id)).State, (await JobAsync(job.Id)).StopRequested));
    }

    [Theory]
    [InlineData(false, 1, 1)]
    [InlineData(true, 0, 0)]
    public async Task Retry_AFailedJob_GoesOnFromItsCheckpointOrBeginsAnew(bool fresh, int epochsKept, int checkpointsKept)
    {
        var job = await SubmitAndClaimAsync(Spec with { MaxAttempts = 1 });
        await Queue.ReportAsync(job, [Metrics], [7], default);
        await Queue.GiveBackAsync(job, "it crashed", null, default);

        Assert.True(await Queue.RetryAsync(job.Id, fresh, default));

        var row = await JobAsync(job.Id);
        Assert.Equal((JobState.Queued, 0, null, null), (row.State, row.Failures, row.FinishedAt, row.Reason));
        Assert.Equal(
            (epochsKept, checkpointsKept),
            (row.Epochs.Count, (int)await Database.ScalarAsync<long>("SELECT count(*) FROM checkpoints"))
        );
        var again = await ClaimAsync();
        Assert.Equal(2, again.Attempt);
        Assert.False(await Queue.ReportAsync(job, [Metrics with { Epoch = 2 }], null, default)); // the first attempt stays fenced
        await Queue.GiveBackAsync(again, "it crashed", null, default);
        Assert.Equal(JobState.Failed, (await JobAsync(job.Id)).State); // maxAttempts of 1 applies again
    }

    [Fact]
    public async Task Delete_ASucceededJob_TakesAllThatBelongsToIt()
    {
        var (gone, kept) = (await SubmitAndClaimAsync(), await SubmitAndClaimAsync());
        foreach (var job in new[] { gone, kept })
        {
            await Queue.ReportAsync(job, [Metrics], null, default);
            await Queue.SucceedAsync(job, Result, Model, default);
        }

        Assert.True(await Queue.DeleteAsync(gone.Id, default));

        foreach (var table in new[] { "epochs", "models", "attempts" })
            Assert.Equal(kept.Id, await Database.ScalarAsync<Guid>($"SELECT job_id FROM {table}"));
        Assert.Equal(1, await Database.ScalarAsync<long>("SELECT count(*) FROM jobs"));
    }

    /// <summary>
    /// Every pair of a verb and an operation of a worker or watcher that ends the attempt of the same running job.
    /// </summary>
    public static TheoryData<JobVerb, string> Races()
    {
        var races = new TheoryData<JobVerb, string>();
        foreach (var verb in Enum.GetValues<JobVerb>())
        foreach (var end in new[] { "succeed", "fail", "give back", "hand back", "rescue" })
            races.Add(verb, end);
        return races;
    }

    /// <summary>
    /// Runs on two connections: the second waits for the uncommitted change of the first, then reads the row again.
    /// </summary>
    [Theory]
    [MemberData(nameof(Races))]
    public async Task Verb_WhileAnEndIsUncommitted_ActsOnWhatTheEndLeft(JobVerb verb, string end)
    {
        // A verb that acts on a running job waits for the end. Retry and delete see that the job runs and return without effect.
        var comesFirst = verb is JobVerb.Retry or JobVerb.Delete;
        var expected = await OutcomeAsync(
            verb,
            end,
            async (apply, finish) =>
            {
                await (comesFirst ? apply() : finish());
                await (comesFirst ? finish() : apply());
            }
        );

        Assert.Equal(expected, await OutcomeAsync(verb, end, (apply, finish) => BehindAsync(finish, apply)));
    }

    [Theory]
    [MemberData(nameof(Races))]
    public async Task End_WhileAVerbIsUncommitted_ActsOnWhatTheVerbLeft(JobVerb verb, string end)
    {
        var expected = await OutcomeAsync(
            verb,
            end,
            async (apply, finish) =>
            {
                await apply();
                await finish();
            }
        );

        Assert.Equal(expected, await OutcomeAsync(verb, end, BehindAsync));
    }

    /// <summary>The row and its history after a race on a running job. Before a resume the job is asked to pause.</summary>
    private async Task<string> OutcomeAsync(JobVerb verb, string end, Func<Func<Task>, Func<Task>, Task> race)
    {
        var job = await SubmitAndClaimAsync();
        if (verb == JobVerb.Resume)
            await Queue.PauseAsync(job.Id, default);
        await race(
            () => ApplyAsync(verb, job.Id),
            () =>
                end switch
                {
                    "succeed" => Queue.SucceedAsync(job, Result, Model, default),
                    "fail" => Queue.FailAsync(job, "it diverged", default),
                    "give back" => Queue.GiveBackAsync(job, "it crashed", null, default),
                    "hand back" => Queue.HandBackAsync(job, "its worker shut down", default),
                    _ => RescueAsync(),
                }
        );
        var outcome = await Database.ScalarAsync<string>(
            $"""
            SELECT coalesce((SELECT concat_ws(' ', state, 'stop', stop_requested, failures, reason) FROM jobs WHERE id = '{job.Id}'),
                'gone') || ': ' ||
                   (SELECT count(*) || ' ' || coalesce(string_agg(outcome, ' '), '') FROM attempts WHERE job_id = '{job.Id}')
            """
        );
        await Database.ExecuteAsync($"DELETE FROM jobs WHERE id = '{job.Id}'");
        return outcome;

        async Task RescueAsync()
        {
            var heartbeat = await Database.ScalarAsync<DateTime>($"SELECT heartbeat_at FROM workers WHERE id = '{Worker.Id}'");
            await Queue.RescueAsync(new(Worker.Id, false, heartbeat, heartbeat), "its worker died", default);
        }
    }

    /// <summary>
    /// Holds <paramref name="first"/> back before its commit until <paramref name="second"/> waits for it or has completed.
    /// </summary>
    private async Task BehindAsync(Func<Task> first, Func<Task> second)
    {
        await Database.ExecuteAsync(
            """
            CREATE OR REPLACE FUNCTION hold() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_advisory_xact_lock(4711); RETURN
                NULL; END $$;
            CREATE TRIGGER hold AFTER UPDATE OR DELETE ON jobs FOR EACH ROW EXECUTE FUNCTION hold();
            """
        );
        await using var gate = await Database.DataSource.OpenConnectionAsync();
        await using (var close = new Npgsql.NpgsqlCommand("SELECT pg_advisory_lock(4711)", gate))
            await close.ExecuteNonQueryAsync();
        var one = first();
        await WaitUntilBlockedAsync(1, one);
        var other = second();
        await WaitUntilBlockedAsync(one.IsCompleted ? 1 : 2, other);
        await using (var open = new Npgsql.NpgsqlCommand("SELECT pg_advisory_unlock(4711)", gate))
            await open.ExecuteNonQueryAsync();
        await one;
        await other;
        await Database.ExecuteAsync("DROP TRIGGER hold ON jobs");
    }

    /// <summary>Also returns when the task is complete, because a verb without effect does not block.</summary>
    private Task WaitUntilBlockedAsync(int sessions, Task orOver) =>
        Eventually.TrueAsync(async () =>
            orOver.IsCompleted
            || await Database.ScalarAsync<long>(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
            ) >= sessions
        );

    private Task<string> ReasonAsync(Guid id) => Database.ScalarAsync<string>($"SELECT reason FROM attempts WHERE job_id = '{id}'");

    private static (JobState, StopRequest?) Expected(JobVerb verb, JobState state) =>
        (verb, state) switch
        {
            (JobVerb.Cancel, JobState.Running) => (JobState.Running, StopRequest.Cancel),
            (JobVerb.Cancel, _) => (JobState.Cancelled, null),
            (JobVerb.Pause, JobState.Running) => (JobState.Running, StopRequest.Pause),
            (JobVerb.Pause, _) => (JobState.Paused, null),
            (JobVerb.Resume, JobState.Running) => (JobState.Running, null),
            _ => (JobState.Queued, null),
        };

    private Task<bool> ApplyAsync(JobVerb verb, Guid id) =>
        verb switch
        {
            JobVerb.Cancel => Queue.CancelAsync(id, default),
            JobVerb.Pause => Queue.PauseAsync(id, default),
            JobVerb.Resume => Queue.ResumeAsync(id, default),
            JobVerb.Retry => Queue.RetryAsync(id, fresh: false, default),
            _ => Queue.DeleteAsync(id, default),
        };

    private async Task<Guid> JobInAsync(JobState state, StopRequest? stop)
    {
        var id = await SubmitAsync();
        if (state is JobState.Paused)
            await Queue.PauseAsync(id, default);
        if (state is JobState.Cancelled)
            await Queue.CancelAsync(id, default);
        if (state is not (JobState.Running or JobState.Succeeded or JobState.Failed))
            return id;
        var job = await ClaimAsync();
        if (state is JobState.Succeeded)
            await Queue.SucceedAsync(job, Result, Model, default);
        if (state is JobState.Failed)
            await Queue.FailAsync(job, "test", default);
        if (stop is StopRequest.Cancel)
            await Queue.CancelAsync(id, default);
        if (stop is StopRequest.Pause)
            await Queue.PauseAsync(id, default);
        return id;
    }

    /// <summary>The row without `run_at`, which a second resume renews.</summary>
    private Task<string> RowAsync(Guid id) =>
        Database.ScalarAsync<string>($"SELECT coalesce((SELECT (to_jsonb(jobs) - 'run_at')::text FROM jobs WHERE id = '{id}'), '')");
}
