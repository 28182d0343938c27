using Temper.Domain.Jobs;
using Temper.Torch;
using Temper.Worker.Datasets;
using Temper.Worker.Datasets.Digits;
using Temper.Worker.Runner;
using Temper.Worker.Training;

namespace Temper.Unit.Worker.Training;

public class TrainingLoopTests
{
    private static readonly JobSpec Spec = new() { Dataset = "digits", Epsilon = 0.1, Epochs = 2, BatchSize = 50 };

    private static readonly Dataset Small = Shorten(DigitsDataset.Draw(), 600, 200);

    [Fact]
    public void Run_SameSpecTwice_GivesTheSameBits()
    {
        var (first, second) = (Run(Spec), Run(Spec));

        Assert.Equal(first.Result with { Notes = [] }, second.Result with { Notes = [] });
        Assert.Equal(first.Epochs.Select(Timeless), second.Epochs.Select(Timeless));
        Assert.NotEqual(first.Result.WeightsSha256, Run(Spec with { Seed = 1 }).Result.WeightsSha256);
    }

    [Fact]
    public void Run_ToItsEnd_ReportsTheFirstStepAndEveryEpoch()
    {
        var run = Run(Spec);

        Assert.IsType<TrainingStarted>(run.Messages[0]);
        Assert.Single(run.Messages.OfType<TrainingStarted>());
        Assert.Equal([1, 2], run.Epochs.Select(epoch => epoch.Epoch));
        Assert.All(run.Epochs, epoch => Assert.Equal(0.001, epoch.LearningRate));
        Assert.Equal(2, run.Result.TrainedEpochs);
        Assert.Equal("cpu", run.Result.Device);
        Assert.Matches("^[0-9a-f]{64}$", run.Result.WeightsSha256);
    }

    [Fact]
    public void Run_OnLearnableImages_Learns()
    {
        var epochs = Run(Spec with { Epochs = 8 }).Epochs;

        Assert.InRange(epochs[^1].ValidationAccuracy, 0.4, 1);
        Assert.True(epochs[^1].TrainLoss < epochs[0].TrainLoss / 1.2);
        // A smoothed loss cannot fall below the entropy of its targets.
        Assert.InRange(epochs[^1].TrainLoss, Spec.LabelSmoothing().TargetEntropy, 10);
    }

    [Fact]
    public void Run_BothConventionsOfOneSmoothing_AreTheSameTraining()
    {
        var uniform = Run(Spec with { Epsilon = 0.1 });
        var others = Run(Spec with { Epsilon = 0.09, Smoothing = Temper.Domain.Smoothing.SmoothingConvention.Others });

        Assert.Equal(uniform.Result.WeightsSha256, others.Result.WeightsSha256);
    }

    [Fact]
    public void Run_NoiseOnEveryLabel_LearnsAnythingButTheTruth()
    {
        var run = Run(Spec with { Epochs = 6, LabelNoise = 1 });

        Assert.InRange(run.Epochs[^1].ValidationAccuracy, 0, 0.15);
    }

    [Fact]
    public void Run_Stopped_EndsBetweenSteps()
    {
        using var stop = new CancellationTokenSource();
        var messages = new List<RunnerMessage>();

        Assert.Throws<OperationCanceledException>(() => TrainingLoop.Run(Spec with { Epochs = 1000 }, Small, torch.CPU, message =>
        {
            messages.Add(message);
            if (message is EpochDone) stop.Cancel();
        }, stop.Token));

        Assert.Single(messages.OfType<EpochDone>());
    }

    [Fact]
    public void Run_LossThatIsNoNumber_SaysThatItDiverged()
    {
        var spec = Spec with { Optimizer = OptimizerName.Sgd, LearningRate = 10, WeightDecay = 1, Epochs = 50 };

        var error = Assert.Throws<TrainingDivergedException>(() => Run(spec));

        Assert.Contains("learningRate", error.Message);
    }

    private sealed record Outcome(JobResult Result, List<RunnerMessage> Messages)
    {
        public EpochMetrics[] Epochs => [.. Messages.OfType<EpochDone>().Select(message => message.Metrics)];
    }

    private static Outcome Run(JobSpec spec)
    {
        var messages = new List<RunnerMessage>();
        return new(TrainingLoop.Run(spec, Small, torch.CPU, messages.Add, CancellationToken.None), messages);
    }

    private static EpochMetrics Timeless(EpochMetrics metrics) => metrics with { Seconds = 0, ImagesPerSecond = 0 };

    private static Dataset Shorten(Dataset dataset, int train, int test) =>
        dataset with { Train = Shorten(dataset.Train, train), Test = Shorten(dataset.Test, test) };

    private static LabelledImages Shorten(LabelledImages images, int count) => new(images.Pixels[..(count * 784)], images.Labels[..count]);
}
