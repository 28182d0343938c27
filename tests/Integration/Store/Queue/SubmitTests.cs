using System.Diagnostics;
using Temper.Domain.Jobs;
using Temper.Domain.Smoothing;
using Temper.Store.Queue;
using Temper.Store.Tenants;

namespace Temper.Integration.Store.Queue;

public class SubmitTests : QueueTest
{
    [Fact]
    public async Task Submit_EveryFieldSet_ComesBackAsItWas()
    {
        var spec = new JobSpec
        {
            Dataset = "kmnist",
            Epsilon = 0.25,
            Epochs = 7,
            Smoothing = SmoothingConvention.Others,
            BatchSize = 64,
            Optimizer = OptimizerName.Sgd,
            LearningRate = 0.05,
            WeightDecay = 1e-4,
            Schedule = ScheduleName.Step,
            Model = ModelName.Resnet20,
            Width = 8,
            WarmupEpochs = 1,
            GradientClip = 2,
            Augmentation = AugmentationName.CropFlip,
            Seed = (1L << 53) - 1,
            ValidationFraction = 0.2,
            LabelNoise = 0.4,
            Device = DeviceName.Cpu,
            Priority = -3,
            MaxAttempts = 5,
            TimeoutSeconds = 60,
            Name = "Größe ε \"'",
            Tags = ["a", "b c"],
        };

        var job = await JobAsync(await SubmitAsync(spec));

        Assert.Equal(spec with { Tags = [] }, job.Spec with { Tags = [] });
        Assert.Equal(spec.Tags, job.Spec.Tags);
        Assert.Equal(("kmnist", -3, "cpu", JobState.Queued, 0), (job.Dataset, job.Priority, job.Device, job.State, job.Attempt));
    }

    [Fact]
    public async Task Submit_InACallersTransaction_ExistsAndIsNoticedOnlyOnceItCommits()
    {
        await using var listener = await ListenAsync();
        var notices = new List<string>();
        listener.Notification += (_, notice) => notices.Add(notice.Payload);

        await using (var db = Db())
        {
            await using var abandoned = await db.Database.BeginTransactionAsync();
            await JobQueue.SubmitAsync(db, TenantStore.Default, Spec, default);
            await abandoned.RollbackAsync();
        }
        Assert.False(await listener.WaitAsync(TimeSpan.FromMilliseconds(100)));
        Assert.Null(await Queue.ClaimAsync(Worker.Id, false, default));

        await using (var db = Db())
        {
            await using var kept = await db.Database.BeginTransactionAsync();
            await JobQueue.SubmitAsync(db, TenantStore.Default, Spec, default);
            Assert.Null(await Queue.ClaimAsync(Worker.Id, false, default));
            await kept.CommitAsync();
        }
        Assert.True(await listener.WaitAsync(TimeSpan.FromSeconds(5)));
        Assert.Equal([JobQueue.QueuedNotice], notices);
        Assert.NotNull(await Queue.ClaimAsync(Worker.Id, false, default));
    }

    [Fact]
    public async Task Submit_WithinARecordedTrace_StoresItsSpanWhichTheClaimHas()
    {
        using var source = new ActivitySource($"{Guid.NewGuid()}");
        using var listener = new ActivityListener
        {
            ShouldListenTo = one => one == source,
            Sample = (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllDataAndRecorded,
        };
        ActivitySource.AddActivityListener(listener);
        using var span = source.StartActivity("request");
        var job = await SubmitAsync();

        Assert.Equal(span!.Id, (await JobAsync(job)).Traceparent);
        Assert.Equal(span.Id, (await ClaimAsync()).Trace.Submission);
    }

    /// <summary>Such as that of a caller who sends a traceparent to an API that sends no traces.</summary>
    [Fact]
    public async Task Submit_WithinATraceThatThisProcessDoesNotRecord_StoresNone()
    {
        using var span = new Activity("request").SetParentId("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01").Start();
        var job = await SubmitAsync();

        Assert.True(span.Recorded);
        Assert.Null((await JobAsync(job)).Traceparent);
    }
}
