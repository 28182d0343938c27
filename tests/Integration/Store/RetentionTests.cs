using Microsoft.Extensions.Logging.Abstractions;
using Npgsql;
using Temper.Domain.Jobs;
using Temper.Domain.Studies;
using Temper.Integration.Store.Queue;
using Temper.Store.Audit;
using Temper.Store.Retention;
using Temper.Store.Studies;
using Temper.Store.Tenants;

namespace Temper.Integration.Store;

/// <summary>Tests what retention removes and what it keeps.</summary>
public class RetentionTests : QueueTest
{
    private static readonly RetentionOptions Nothing = new() { CheckpointDays = null };

    private static readonly StudySpec OneArm = new()
    {
        Job = Spec,
        Epsilons = [0],
        Smoothing = [Domain.Smoothing.SmoothingConvention.Uniform],
        LearningRates = [0.001],
        LabelNoise = [0],
        Models = [ModelName.Cnn],
        Seeds = [0],
    };

    [Fact]
    public async Task Run_RemovesTheAuditThatIsPastItsRetention()
    {
        await new AuditStore(Database.DataSource).WriteAsync([
            new("default", "ann", null, "submitJob", "old", 202, null, null),
            new("default", "ann", null, "submitJob", "young", 202, null, null),
        ]);
        await Database.ExecuteAsync("UPDATE audit SET at = at - interval '11 days' WHERE target = 'old'");

        var removed = await RemoveAsync(Nothing with { AuditDays = 10 });

        Assert.Equal(1, removed["audit"]);
        Assert.Equal("young", await Database.ScalarAsync<string>("SELECT string_agg(target, ' ') FROM audit"));
    }

    public static TheoryData<string> Kinds => [.. AllKinds.Keys];

    /// <summary>For each kind, the settings that remove it after 10 days, and a query that counts the remaining rows.</summary>
    private static readonly Dictionary<string, (RetentionOptions Options, string Left)> AllKinds = new()
    {
        ["checkpoints"] = (new() { CheckpointDays = 10 }, "SELECT count(*) FROM checkpoints"),
        ["logits"] = (Nothing with { LogitsDays = 10 }, "SELECT count(*) FROM models WHERE test_logits IS NOT NULL"),
        ["weights"] = (Nothing with { WeightsDays = 10 }, "SELECT count(*) FROM models WHERE weights IS NOT NULL"),
        ["epochs"] = (Nothing with { EpochDays = 10 }, "SELECT count(*) FROM epochs"),
        ["attempts"] = (Nothing with { AttemptDays = 10 }, "SELECT count(*) FROM attempts"),
        ["jobs"] = (Nothing with { JobDays = 10 }, "SELECT count(*) FROM jobs"),
    };

    [Theory]
    [MemberData(nameof(Kinds))]
    public async Task Run_OfOldJobs_RemovesThatKindAloneAndOnlyFromWhatIsOldAndNotPinned(string kind)
    {
        for (var i = 0; i < 3; i++)
            await SucceededAsync();
        for (var i = 0; i < 3; i++)
            await CancelledAsync();
        // Of each three jobs one is young and one is pinned.
        await AgeAsync(jobs: "sequence IN (1, 3, 4, 6)");
        foreach (var sequence in new[] { 3, 6 })
            Assert.True(
                await Queue.PinAsync(await Database.ScalarAsync<Guid>($"SELECT id FROM jobs WHERE sequence = {sequence}"), true, default)
            );
        var before = await CountsAsync();

        var removed = await RemoveAsync(AllKinds[kind].Options);

        var after = await CountsAsync();
        // The cancelled job keeps its epochs as long as it keeps the checkpoint from which a retry may continue.
        long Gone(string other) => kind == "epochs" ? 1 : before[other] / 3;
        var concerned = kind == "jobs" ? [.. AllKinds.Keys] : new[] { kind };
        foreach (var other in AllKinds.Keys)
            Assert.Equal((other, concerned.Contains(other) ? before[other] - Gone(other) : before[other]), (other, after[other]));
        Assert.Equal(Gone(kind), removed[kind]);
        Assert.Equal(0, (await RemoveAsync(AllKinds[kind].Options))[kind]);
    }

    [Fact]
    public async Task Run_ByDefault_RemovesOldCheckpointsOnly()
    {
        await SucceededAsync();
        await CancelledAsync();
        await AgeAsync(days: 3650);
        var before = await CountsAsync();

        await RemoveAsync(new());

        Assert.Equal(before.Select(count => count.Key == "checkpoints" ? 0 : count.Value), (await CountsAsync()).Values);
    }

    /// <summary>Retention removes the data of a study's jobs only after the study's last job has ended.</summary>
    [Fact]
    public async Task Run_WhileAStudyHasAJobLeft_LeavesAllOfIt()
    {
        var studies = new StudyQueue(Database.DataSource);
        var everything = new RetentionOptions
        {
            CheckpointDays = 10,
            LogitsDays = 10,
            WeightsDays = 10,
            EpochDays = 10,
            AttemptDays = 10,
            JobDays = 10,
        };
        await studies.SubmitAsync(TenantStore.Default, OneArm with { Epsilons = [0, 0.1] }, null, default);
        await SucceedNextAsync();
        await AgeAsync(studies: "false");
        var before = await CountsAsync();

        await RemoveAsync(everything);
        Assert.Equal(before, await CountsAsync());

        await SucceedNextAsync();
        await RemoveAsync(everything); // the study's last job is young
        Assert.Equal(2, (await CountsAsync())["logits"]);

        await AgeAsync();
        var id = await Database.ScalarAsync<Guid>("SELECT id FROM studies");
        await studies.PinAsync(id, true, default);
        await RemoveAsync(everything);
        Assert.Equal(2, (await CountsAsync())["logits"]);

        await studies.PinAsync(id, false, default);
        const string images = "SELECT string_agg(concat_ws(' ', validation_images, test_images), ', ') FROM scores";
        var counted = await Database.ScalarAsync<string>(images);
        await RemoveAsync(everything with { JobDays = null });
        var left = await CountsAsync();
        // A recommendation needs the numbers of images, and a budget needs the time of all attempts.
        Assert.Equal((0, 0, 2), (left["logits"], left["epochs"], left["attempts"]));
        Assert.Equal("2 1, 2 1", counted);
        Assert.Equal(counted, await Database.ScalarAsync<string>(images));

        var removed = await RemoveAsync(everything);
        Assert.Equal(1, removed["studies"]);
        Assert.Equal(
            0,
            await Database.ScalarAsync<long>(
                "SELECT (SELECT count(*) FROM studies) + (SELECT count(*) FROM arms) + (SELECT count(*) FROM jobs)"
            )
        );
    }

    [Fact]
    public async Task Run_OfAYoungStudyWithoutJobs_LeavesItToBeExtended()
    {
        await new StudyQueue(Database.DataSource).SubmitAsync(TenantStore.Default, OneArm, null, default);
        await Database.ExecuteAsync("DELETE FROM jobs");

        await RemoveAsync(new() { JobDays = 10 });

        Assert.Equal(1, await Database.ScalarAsync<long>("SELECT count(*) FROM studies"));
    }

    /// <summary>A user retries a job while retention selects jobs.</summary>
    [Fact]
    public async Task Run_BesideARetry_LeavesThatJobAndDoesNotWait()
    {
        await CancelledAsync();
        await AgeAsync();
        await using var connection = await Database.DataSource.OpenConnectionAsync();
        await using var retry = await connection.BeginTransactionAsync();
        await using (var command = connection.CreateCommand())
        {
            command.CommandText = "UPDATE jobs SET state = 'queued', finished_at = NULL";
            await command.ExecuteNonQueryAsync();
        }

        var removed = await RemoveAsync(new() { CheckpointDays = 10, JobDays = 10 });

        await retry.CommitAsync();
        Assert.Equal((0, 0), (removed["checkpoints"], removed["jobs"]));
        Assert.Equal(1, await Database.ScalarAsync<long>("SELECT count(*) FROM checkpoints"));
    }

    /// <summary>A user extends an old study after retention has selected it.</summary>
    [Fact]
    public async Task Run_BesideAnExtension_LeavesTheWholeStudy()
    {
        var studies = new StudyQueue(Database.DataSource);
        await studies.SubmitAsync(TenantStore.Default, OneArm, null, default);
        await SucceedNextAsync();
        await AgeAsync();
        var id = await Database.ScalarAsync<Guid>("SELECT id FROM studies");
        Task<IReadOnlyDictionary<string, int>>? removal = null;

        var added = await studies.ExtendAsync(
            id,
            spec =>
            {
                // The study's row is locked here.
                removal = RemoveAsync(Nothing with { JobDays = 10 });
                WaitForALock();
                return spec with { Seeds = [0, 1] };
            },
            default
        );

        Assert.Equal((1, 0), (added, (await removal!)["studies"]));
        Assert.Equal(2, await Database.ScalarAsync<long>("SELECT count(*) FROM jobs"));

        void WaitForALock() =>
            Assert.True(
                SpinWait.SpinUntil(
                    () =>
                        Database
                            .ScalarAsync<bool>(
                                "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() "
                                    + "AND wait_event_type = 'Lock')"
                            )
                            .GetAwaiter()
                            .GetResult(),
                    TimeSpan.FromSeconds(30)
                )
            );
    }

    /// <summary>What retention has emptied before, it does not look at again, however much that is.</summary>
    [Theory]
    [MemberData(nameof(Kinds))]
    public async Task Run_WithNothingLeftToRemove_ReadsFewRows(string kind)
    {
        var options = AllKinds[kind].Options;
        var read = await Database.RowsReadAsync(
            "jobs",
            async one =>
            {
                await SucceededAsync();
                await using var old = one.CreateCommand(
                    "INSERT INTO jobs (id, tenant, spec, spec_revision, state, attempt, failures, finished_at) "
                        + $"SELECT {IdAt("now() - interval '20 days'", "substr(md5(n::text), 1, 20)")}, tenant, spec, spec_revision, "
                        + "'cancelled', 0, 0, now() - interval '19 days' FROM jobs, generate_series(1, 3000) n"
                );
                await old.ExecuteNonQueryAsync();
                await new Removal(one, options, NullLogger.Instance).RunAsync(default);
            },
            one => new Removal(one, options, NullLogger.Instance).RunAsync(default)
        );

        Assert.Equal(kind == "jobs" ? 1 : 3001, await Database.ScalarAsync<long>("SELECT count(*) FROM jobs"));
        Assert.InRange(read, 0, 50);
    }

    [Fact]
    public async Task Run_OfManyJobs_RemovesAllPages()
    {
        await SucceededAsync();
        await Database.ExecuteAsync(
            "INSERT INTO jobs (id, tenant, spec, spec_revision, state, attempt, failures, finished_at, pinned) "
                + $"SELECT {IdAt("now() - interval '20 days'", "lpad(to_hex(n), 20, '0')")}, tenant, spec, spec_revision, "
                + "'cancelled', 0, 0, now() - interval '19 days', n % 5 = 0 FROM jobs, generate_series(1, 2500) n"
        );

        var removed = await RemoveAsync(Nothing with { JobDays = 10 });

        Assert.Equal(2000, removed["jobs"]);
        Assert.Equal(501, await Database.ScalarAsync<long>("SELECT count(*) FROM jobs"));
    }

    [Fact]
    public async Task Run_ThatFailsOnOneKind_RemovesTheOthersAndFails()
    {
        await SucceededAsync();
        await CancelledAsync();
        await AgeAsync();
        await Database.ExecuteAsync(
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'the disk is full'; END $$; "
                + "CREATE TRIGGER refuse BEFORE DELETE ON checkpoints FOR EACH ROW EXECUTE FUNCTION refuse()"
        );

        var failure = await Assert.ThrowsAsync<AggregateException>(() => RemoveAsync(new() { CheckpointDays = 10, WeightsDays = 10 }));

        Assert.Contains("the disk is full", Assert.IsType<PostgresException>(Assert.Single(failure.InnerExceptions)).Message);
        Assert.Equal(1, await Database.ScalarAsync<long>("SELECT count(*) FROM checkpoints"));
        Assert.Equal(0, await Database.ScalarAsync<long>("SELECT count(*) FROM models WHERE weights IS NOT NULL"));
    }

    private static readonly SplitScores Split = new(0.9, 0.3, 0.1, 0.05, 0.01, 0.02, 0.3, 0.04);

    private static readonly Scores Scores = new(1, Split, Split);

    private async Task<Dictionary<string, long>> CountsAsync()
    {
        var counts = new Dictionary<string, long>();
        foreach (var (kind, (_, left)) in AllKinds)
            counts[kind] = await Database.ScalarAsync<long>(left);
        return counts;
    }

    private Task<IReadOnlyDictionary<string, int>> RemoveAsync(RetentionOptions options) =>
        new Removal(Database.DataSource, options, NullLogger.Instance).RunAsync(default);

    private async Task SucceededAsync()
    {
        await SubmitAsync();
        await SucceedNextAsync();
    }

    private async Task SucceedNextAsync()
    {
        var job = await ClaimAsync();
        await Queue.ReportAsync(job, [Metrics], null, default);
        Assert.True(await Queue.SucceedAsync(job, Result, Model with { Scores = Scores }, default));
    }

    private async Task CancelledAsync()
    {
        var job = await SubmitAndClaimAsync();
        await Queue.ReportAsync(job, [Metrics], [1, 2, 3], default);
        await Queue.CancelAsync(job.Id, default);
        Assert.True(await Queue.HandBackAsync(job, "test", default));
    }
}
