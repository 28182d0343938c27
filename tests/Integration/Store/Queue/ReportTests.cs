using Microsoft.EntityFrameworkCore;
using Temper.Domain.Jobs;

namespace Temper.Integration.Store.Queue;

public class ReportTests : QueueTest
{
    [Fact]
    public async Task ReportEpoch_ByALaterAttempt_ReplacesTheRowOfTheEarlier()
    {
        var first = await SubmitAndClaimAsync();
        await Queue.ReportAsync(first, [Metrics], null, default);
        await Queue.ReportAsync(first, [Metrics with { Epoch = 2 }], null, default);
        await Queue.HandBackAsync(first, "test", default);
        var second = await ClaimAsync();

        await Queue.ReportAsync(second, [Metrics with { TrainLoss = 0.5 }], null, default);

        var epochs = (await JobAsync(second.Id)).Epochs.OrderBy(epoch => epoch.Epoch).ToArray();
        Assert.Equal([(1, 2, 0.5), (2, 1, 0.7)], epochs.Select(epoch => (epoch.Epoch, epoch.Attempt, epoch.TrainLoss)));
    }

    [Fact]
    public async Task ReportEpoch_EveryFigure_IsStored()
    {
        var job = await SubmitAndClaimAsync();

        var metrics = Metrics with { ValidationLossAfterTemperature = 0.18 };
        await Queue.ReportAsync(job, [metrics], null, default);

        var row = Assert.Single((await JobAsync(job.Id)).Epochs);
        Assert.Equal(
            metrics,
            new EpochMetrics(
                row.Epoch,
                row.TrainLoss,
                row.TrainAccuracy,
                row.ValidationLoss,
                row.ValidationAccuracy,
                row.Ece,
                row.SignedGap,
                row.LearningRate,
                row.Seconds,
                row.ImagesPerSecond,
                row.ValidationLossAfterTemperature
            )
        );
    }

    [Fact]
    public async Task Succeed_WithAResult_EndsTheJob()
    {
        var job = await SubmitAndClaimAsync();

        Assert.True(await Queue.SucceedAsync(job, Result, Model, default));

        var row = await JobAsync(job.Id);
        Assert.Equal((JobState.Succeeded, (Guid?)null), (row.State, row.WorkerId));
        Assert.NotNull(row.FinishedAt);
        Assert.Equal(Result with { Notes = [] }, row.Result! with { Notes = [] });
        await using var db = Db();
        var model = await db.Models.SingleAsync();
        Assert.Equal((job.Id, 2), (model.JobId, model.Classes));
        Assert.Equal([1, 2, 3], model.Weights);
        Assert.Equal(Model.Logits!.ValidationLogits, model.ValidationLogits);
        Assert.Equal(Model.Logits.TestLabels, model.TestLabels);
        Assert.Null(model.TrueProbabilities);
    }

    [Theory]
    [InlineData(3, 0.93)]
    [InlineData(2, 0.92)]
    public async Task Succeed_WithAKeptEpoch_StoresItsTrainingAccuracy(int kept, double accuracy)
    {
        var job = await SubmitAndClaimAsync();
        var epochs = new[] { (1, 0.4, 0.3), (2, 0.3, 0.25), (3, 0.2, 0.25) }.Select(epoch =>
            Metrics with
            {
                Epoch = epoch.Item1,
                TrainAccuracy = 0.9 + 0.01 * epoch.Item1,
                ValidationLoss = epoch.Item2,
                ValidationLossAfterTemperature = epoch.Item3,
            }
        );
        await Queue.ReportAsync(job, [.. epochs], null, default);
        var split = new SplitScores(0.9, 0.2, 0.15, 0.1, 0.1, 0.01, 0.19, 0.01);

        await Queue.SucceedAsync(job, Result with { KeptEpoch = kept }, Model with { Scores = new(1.5, split, split) }, default);

        Assert.Equal(kept, (await JobAsync(job.Id)).Result!.KeptEpoch);
        await using var db = Db();
        var scores = await db.Scores.SingleAsync();
        Assert.Equal((accuracy, 3, 2), (scores.TrainAccuracy, scores.BestEpoch, scores.BestEpochAfterTemperature!.Value));
    }

    [Fact]
    public async Task Succeed_EpochsOfAnOlderBuild_LeavesTheBestEpochAfterTemperatureUnknown()
    {
        var job = await SubmitAndClaimAsync();
        await Queue.ReportAsync(job, [Metrics], null, default);
        var split = new SplitScores(0.9, 0.2, 0.15, 0.1, 0.1, 0.01, 0.19, 0.01);

        await Queue.SucceedAsync(job, Result, Model with { Scores = new(1.5, split, split) }, default);

        await using var db = Db();
        Assert.Null((await db.Scores.SingleAsync()).BestEpochAfterTemperature);
    }

    [Fact]
    public async Task Checkpoint_StoredAgain_ReplacesTheLastAndGoesWithSuccess()
    {
        var job = await SubmitAndClaimAsync();
        Assert.Null(await Queue.ReadCheckpointAsync(job, default));

        Assert.True(await Queue.ReportAsync(job, [], [1], default));
        Assert.True(await Queue.ReportAsync(job, [Metrics], [2, 2], default));
        Assert.Equal([2, 2], await Queue.ReadCheckpointAsync(job, default));
        Assert.True(await Queue.ReportAsync(job, [Metrics with { Epoch = 2 }], null, default));
        Assert.Equal([2, 2], await Queue.ReadCheckpointAsync(job, default));

        Assert.True(await Queue.SucceedAsync(job, Result, Model, default));
        Assert.Null(await Queue.ReadCheckpointAsync(job, default));
    }

    [Fact]
    public async Task Fail_ForGood_KeepsTheReason()
    {
        var job = await SubmitAndClaimAsync();

        Assert.True(await Queue.FailAsync(job, "it diverged", default));

        var row = await JobAsync(job.Id);
        Assert.Equal((JobState.Failed, 1, "it diverged"), (row.State, row.Failures, row.Reason));
        Assert.NotNull(row.FinishedAt);
    }
}
