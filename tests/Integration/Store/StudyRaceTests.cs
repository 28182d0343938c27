using System.Collections.Concurrent;
using Npgsql;
using Temper.Domain.Jobs;
using Temper.Domain.Studies;
using Temper.Integration.Store.Queue;
using Temper.Store.Queue;
using Temper.Store.Studies;
using Temper.Store.Tenants;

namespace Temper.Integration.Store;

/// <summary>Tests operations on a study while its jobs end.</summary>
public class StudyRaceTests : QueueTest
{
    /// <summary>A net that runs every minute must not read all that has ended.</summary>
    [Fact]
    public async Task ToSettle_BesideManyEndedJobs_FindsTheOpenStudyAndReadsFewRows()
    {
        IReadOnlyList<Guid> found = [];
        Guid open = default;
        var read = await Database.RowsReadAsync(
            "jobs",
            async one =>
            {
                var (studies, spec) = (new StudyQueue(one), Study(seeds: 2) with { Budget = new() { MaxMinutes = 1 } });
                for (var i = 0; i < 5; i++)
                    await studies.SubmitAsync(TenantStore.Default, spec, null, default);
                await using var ended = one.CreateCommand(
                    "UPDATE jobs SET state = 'cancelled', finished_at = now(); "
                        + "INSERT INTO jobs (id, tenant, spec, spec_revision, study_id, arm, seed, state, attempt, failures, finished_at) "
                        + "SELECT gen_random_uuid(), tenant, spec, spec_revision, study_id, arm, n, state, 0, 0, finished_at "
                        + "FROM jobs, generate_series(100, 600) n WHERE seed = 0"
                );
                await ended.ExecuteNonQueryAsync();
                (open, _, _) = await studies.SubmitAsync(TenantStore.Default, spec, null, default);
                await studies.SubmitAsync(TenantStore.Default, Study(seeds: 2), null, default); // nothing to settle
            },
            async one => found = await new StudyQueue(one).ToSettleAsync(default)
        );

        Assert.Equal([open], found);
        Assert.InRange(read, 1, 50);
    }

    [Fact]
    public async Task Settle_WhileAnotherHoldsTheStudy_DoesNotWaitAndIsDoneByTheNext()
    {
        var studies = new StudyQueue(Database.DataSource);
        var (id, _, _) = await studies.SubmitAsync(
            TenantStore.Default,
            Study(seeds: 2) with
            {
                Budget = new() { MaxMinutes = 1 },
            },
            null,
            default
        );
        await SucceedAsync(await ClaimAsync());
        await Database.ExecuteAsync("UPDATE attempts SET claimed_at = ended_at - interval '2 min'");
        await using (var other = await Database.DataSource.OpenConnectionAsync())
        await using (await other.BeginTransactionAsync())
        {
            await using var hold = new NpgsqlCommand("SELECT FROM studies FOR UPDATE", other);
            await hold.ExecuteNonQueryAsync();

            await studies.SettleAsync(id, default).WaitAsync(TimeSpan.FromSeconds(5));
            Assert.Equal(0L, await CountAsync("state = 'cancelled'"));
        }

        await studies.SettleAsync(id, default);

        Assert.Equal(5L, await CountAsync("state = 'cancelled'"));
    }

    /// <summary>
    /// The first evaluation drops the arm with the extreme losses. Without that arm the pooled spread is smaller, and a second
    /// evaluation of the same seeds would drop another arm. The number of evaluations must not change the error rate.
    /// </summary>
    [Fact]
    public async Task Settle_ManyTimesWithTheSameSeeds_LooksOnce()
    {
        double[][] losses =
        [
            [0.100, 0.101, 0.099],
            [0.1065, 0.1075, 0.1053],
            [0.900, 0.905, 0.910],
        ];
        var studies = new StudyQueue(Database.DataSource);
        var (id, _, _) = await studies.SubmitAsync(
            TenantStore.Default,
            Study(seeds: 4) with
            {
                SuccessiveHalving = true,
                Criterion = Criterion.Ece,
            },
            null,
            default
        );
        for (var i = 0; i < 9; i++)
        {
            var job = await ClaimAsync();
            var ece = losses[
                job.Spec.Epsilon switch
                {
                    0 => 0,
                    0.1 => 1,
                    _ => 2,
                }
            ][job.Spec.Seed];
            var split = new SplitScores(0.9, 0.2, 0.15, ece, ece, 0.01, 0.19, 0.01);
            Assert.True(
                await Queue.ReportAsync(job, [Metrics], null, default)
                    && await Queue.SucceedAsync(job, Result, new([1, 2, 3], null, new(1.5, split, split)), default)
            );
        }
        ArmLosses Of(int arm) =>
            new(arm, losses[arm].Select((loss, seed) => (loss, seed)).ToDictionary(one => (long)one.seed, one => one.loss));
        Assert.Equal([2], Race.Losers([Of(0), Of(1), Of(2)], 3)); // the test depends on this
        Assert.Equal([1], Race.Losers([Of(0), Of(1)], 3));

        for (var i = 0; i < 3; i++)
            await studies.SettleAsync(id, default);

        Assert.Equal(
            "{0.3}",
            await Database.ScalarAsync<string>("SELECT array_agg(epsilon)::text FROM arms WHERE dropped_at_seeds IS NOT NULL")
        );
    }

    [Fact]
    public async Task Everything_AtOnce_LosesNoJobAndAddsNoneTwice()
    {
        const int Rounds = 12;
        var studies = new StudyQueue(Database.DataSource);
        var (id, _, _) = await studies.SubmitAsync(
            TenantStore.Default,
            Study(seeds: 4) with
            {
                SuccessiveHalving = true,
                Criterion = Criterion.Ece,
            },
            null,
            default
        );
        var failures = new ConcurrentQueue<Exception>();
        var over = false;

        var workers = Enumerable
            .Range(0, 4)
            .Select(_ =>
                WatchedAsync(async () =>
                {
                    while (!Volatile.Read(ref over) || await CountAsync("state = 'queued'") > 0)
                    {
                        if (await Queue.ClaimAsync(Worker.Id, hasCuda: false, default) is not { } job)
                            await Task.Delay(5);
                        else if (await SucceedAsync(job))
                            await studies.SettleAsync(id, default);
                    }
                })
            )
            .ToList();
        await Task.WhenAll(
            WatchedAsync(async () =>
            {
                for (long seed = 4; seed < 4 + Rounds; seed++)
                    await Task.WhenAll(ExtendAsync(seed), ExtendAsync(seed)); // the same extension twice at once
            }),
            WatchedAsync(async () =>
            {
                for (var i = 0; i < Rounds; i++)
                {
                    await studies.PauseAsync(id, default);
                    await studies.ResumeAsync(id, default);
                }
            })
        );
        await studies.ResumeAsync(id, default);
        Volatile.Write(ref over, true);
        await Task.WhenAll(workers);

        Assert.Empty(failures);
        Assert.Equal(0L, await CountAsync("state NOT IN ('succeeded', 'cancelled')"));
        await studies.SettleAsync(id, default); // a settling that finds another under way leaves the study to it
        // An arm that was not dropped has every seed exactly once.
        Assert.Equal(
            (long)(4 + Rounds),
            await Database.ScalarAsync<long>(
                "SELECT min(seeds) FROM (SELECT count(DISTINCT seed) AS seeds FROM jobs JOIN arms USING (study_id, arm) WHERE "
                    + "dropped_at_seeds IS NULL AND state = 'succeeded' GROUP BY arm) arms"
            )
        );
        Assert.Equal(
            0L,
            await Database.ScalarAsync<long>("SELECT count(*) FROM (SELECT FROM jobs GROUP BY arm, seed HAVING count(*) > 1) twice")
        );
        Assert.Equal(
            "{0.3}",
            await Database.ScalarAsync<string>("SELECT array_agg(epsilon)::text FROM arms WHERE dropped_at_seeds IS NOT NULL")
        );
        Assert.Equal(
            0L,
            await Database.ScalarAsync<long>(
                "SELECT count(*) FROM jobs JOIN arms USING (study_id, arm) WHERE dropped_at_seeds IS NULL AND state = 'cancelled'"
            )
        );

        Task<int?> ExtendAsync(long seed) => studies.ExtendAsync(id, spec => new StudyExtension { Seeds = [seed] }.Widen(spec), default);

        async Task WatchedAsync(Func<Task> work)
        {
            try
            {
                await Task.Run(work);
            }
            catch (Exception e)
            {
                failures.Enqueue(e);
            }
        }
    }

    private static StudySpec Study(int seeds) =>
        new()
        {
            Job = Spec,
            Epsilons = [0, 0.1, 0.3],
            Seeds = [.. Enumerable.Range(0, seeds).Select(seed => (long)seed)],
        };

    /// <summary>
    /// Succeeds with losses by which ε = 0.3 is far worse than the others, which differ by less than their seeds.
    /// </summary>
    /// <returns>False when the attempt no longer holds the job.</returns>
    private async Task<bool> SucceedAsync(ClaimedJob job)
    {
        // With any few seeds the arms of the lower ε differ now this way and now that way.
        var (seed, tenths) = (job.Spec.Seed, (long)(10 * job.Spec.Epsilon));
        var ece = (job.Spec.Epsilon == 0.3 ? 0.5 : 0.02) + 0.0001 * ((7 * seed + tenths * (seed + 1) * (seed + 1)) % 5);
        var split = new SplitScores(0.9, 0.2, 0.15, ece, ece, 0.01, 0.19, 0.01);
        return await Queue.ReportAsync(job, [Metrics], null, default)
            && await Queue.SucceedAsync(job, Result, new([1, 2, 3], null, new(1.5, split, split)), default);
    }

    private Task<long> CountAsync(string which) => Database.ScalarAsync<long>($"SELECT count(*) FROM jobs WHERE {which}");
}
