using System.Collections.Concurrent;
using Temper.Domain.Jobs;
using Temper.Store.Queue;

namespace Temper.Integration.Store.Queue;

public class ClaimTests : QueueTest
{
    [Fact]
    public async Task Claim_NothingQueued_IsNull() => Assert.Null(await Queue.ClaimAsync(Worker.Id, false, default));

    [Fact]
    public async Task Claim_SeveralQueued_TakesHighestPriorityThenOldest()
    {
        var (low, first, second, high) = (
            await SubmitAsync(Spec with { Priority = -1 }),
            await SubmitAsync(),
            await SubmitAsync(),
            await SubmitAsync(Spec with { Priority = 5 })
        );

        Guid[] order = [(await ClaimAsync()).Id, (await ClaimAsync()).Id, (await ClaimAsync()).Id, (await ClaimAsync()).Id];

        Assert.Equal([high, first, second, low], order);
    }

    [Fact]
    public async Task Claim_AJob_MakesItRunningUnderTheNextAttempt()
    {
        var id = await SubmitAsync();

        var claimed = await ClaimAsync();

        Assert.Equal((id, 1), (claimed.Id, claimed.Attempt));
        Assert.Equal(Spec with { Tags = [] }, claimed.Spec with { Tags = [] });
        var job = await JobAsync(id);
        Assert.Equal((JobState.Running, 1, Worker.Id), (job.State, job.Attempt, job.WorkerId));
        Assert.NotNull(job.ClaimedAt);

        await Queue.HandBackAsync(claimed, "test", default);
        Assert.Equal(2, (await ClaimAsync()).Attempt);
    }

    [Fact]
    public async Task Claim_ByAWorkerWithoutCuda_ReadsNoneOfTheJobsForCuda()
    {
        var wanted = Guid.Empty;
        ClaimedJob? claimed = null;
        var read = await Database.RowsReadAsync(
            "jobs",
            async one =>
            {
                await SubmitAsync(Spec with { Device = DeviceName.Cuda, Priority = 5 });
                await using var more = one.CreateCommand(
                    "INSERT INTO jobs (id, tenant, spec, spec_revision, state, attempt, failures) "
                        + "SELECT gen_random_uuid(), tenant, spec, spec_revision, state, 0, 0 FROM jobs, generate_series(1, 5000)"
                );
                await more.ExecuteNonQueryAsync();
                wanted = await SubmitAsync();
            },
            async one => claimed = await new JobQueue(one).ClaimAsync(Worker.Id, hasCuda: false, default)
        );

        Assert.Equal(wanted, claimed?.Id);
        Assert.InRange(read, 1, 50);
        Assert.Equal(DeviceName.Cuda, (await Queue.ClaimAsync(Worker.Id, hasCuda: true, default))?.Spec.Device);
    }

    [Fact]
    public async Task Claim_ASpecThatCannotBeRead_GivesItBackAndLeavesTheNextToBeClaimed()
    {
        var unreadable = await SubmitAsync(Spec with { MaxAttempts = 1, Priority = 9 });
        await Database.ExecuteAsync("""UPDATE jobs SET spec = jsonb_set(spec, '{model}', '"transformer"')""");
        var readable = await SubmitAsync();

        Assert.Null(await Queue.ClaimAsync(Worker.Id, false, default));
        Assert.Equal(readable, (await ClaimAsync()).Id);

        Assert.Equal("failed", await Database.ScalarAsync<string>($"SELECT state FROM jobs WHERE id = '{unreadable}'"));
        Assert.Contains(
            "could not read its spec",
            await Database.ScalarAsync<string>($"SELECT reason FROM jobs WHERE id = '{unreadable}'")
        );
    }

    [Fact]
    public async Task Claim_AJobOfALaterRevision_LeavesItToAWorkerThatKnowsIt()
    {
        var (newer, other) = (await SubmitAsync(Spec with { MaxAttempts = 1, Priority = 9 }), await SubmitAsync());
        await Database.ExecuteAsync($"UPDATE jobs SET spec_revision = {SpecRevision.Known + 1} WHERE id = '{newer}'");

        Assert.Equal(other, (await ClaimAsync()).Id);
        Assert.Null(await Queue.ClaimAsync(Worker.Id, false, default));
        var waiting = await JobAsync(newer);
        Assert.Equal((JobState.Queued, 0, 0, null), (waiting.State, waiting.Attempt, waiting.Failures, waiting.Reason));

        var newerBuild = new JobQueue(Database.DataSource) { KnownRevision = SpecRevision.Known + 1 };
        Assert.Equal(newer, (await newerBuild.ClaimAsync(Worker.Id, false, default))?.Id);
    }

    [Fact]
    public async Task Claim_WithoutCuda_PassesOverJobsThatNeedIt()
    {
        var (cuda, auto) = (await SubmitAsync(Spec with { Device = DeviceName.Cuda, Priority = 9 }), await SubmitAsync());

        Assert.Equal(auto, (await ClaimAsync()).Id);
        Assert.Null(await Queue.ClaimAsync(Worker.Id, hasCuda: false, default));
        Assert.Equal(cuda, (await Queue.ClaimAsync(Worker.Id, hasCuda: true, default))!.Id);
    }

    [Fact]
    public async Task Claim_EightClaimersAtOnce_EachJobGoesToOne()
    {
        for (var i = 0; i < 200; i++)
            await SubmitAsync();
        var claimed = new ConcurrentBag<Guid>();

        await Task.WhenAll(
            Enumerable
                .Range(0, 8)
                .Select(async _ =>
                {
                    var worker = await RegisterAsync();
                    while (await Queue.ClaimAsync(worker.Id, false, default) is { } job)
                        claimed.Add(job.Id);
                })
        );

        Assert.Equal(200, claimed.Count);
        Assert.Equal(200, claimed.Distinct().Count());
        Assert.Equal(200, await Database.ScalarAsync<long>("SELECT count(*) FROM jobs WHERE state = 'running' AND attempt = 1"));
    }

    [Fact]
    public async Task Claim_WhileAnotherClaimIsUncommitted_TakesTheNextJobWithoutWaiting()
    {
        var (first, second) = (await SubmitAsync(), await SubmitAsync());
        await using var other = await Database.DataSource.OpenConnectionAsync();
        await using var transaction = await other.BeginTransactionAsync();
        await using (var hold = new Npgsql.NpgsqlCommand($"SELECT id FROM jobs WHERE id = '{first}' FOR UPDATE", other))
            await hold.ExecuteNonQueryAsync();

        Assert.Equal(second, (await ClaimAsync()).Id);
    }
}
