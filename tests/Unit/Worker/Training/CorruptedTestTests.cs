using Temper.Domain.Datasets;
using Temper.Domain.Jobs;
using Temper.Worker.Datasets;
using Temper.Worker.Datasets.Digits;
using Temper.Worker.Messages;
using Temper.Worker.Training;

namespace Temper.Unit.Worker.Training;

[Collection(AloneCollection.Name)]
public class CorruptedTestTests
{
    private static readonly JobSpec Spec = new()
    {
        Dataset = "digits",
        Epsilon = 0.1,
        Epochs = 6,
        BatchSize = 50,
        Corruptions = true,
    };

    private static readonly Dataset Small = Shorten(DigitsDataset.Draw(new()));

    [Fact]
    public void Run_WithCorruptions_ScoresTheSameModelOnEach()
    {
        var (model, clean) = (Run(Spec, Small), Run(Spec with { Corruptions = false }, Small));

        Assert.Equal(Corruption.All, model.Corruptions.Select(row => row.Corruption));
        Assert.Equal(clean.Weights, model.Weights);
        Assert.Equal(clean.Scores, model.Scores);
        Assert.Empty(clean.Corruptions);
        foreach (var kind in Enum.GetValues<CorruptionKind>())
        {
            var accuracies = model.Corruptions.Where(row => row.Corruption.Kind == kind).Select(row => row.Scores.Accuracy).ToArray();
            Assert.True(accuracies[4] < clean.Scores!.Test.Accuracy, $"{kind}: {string.Join(", ", accuracies)}");
        }
    }

    /// <summary>Compares with the usual evaluation of the same training on test images that were corrupted beforehand.</summary>
    [Theory]
    [InlineData(CorruptionKind.Noise, 2)]
    [InlineData(CorruptionKind.Rotation, 3)]
    public void Run_WithCorruptions_IsTheUsualTestOnCorruptedImages(CorruptionKind kind, int strength)
    {
        var corruption = new Corruption(kind, strength);
        var images = new CorruptedImages(corruption, 1, 28, 28, Spec.Seed);
        var pixels = new byte[Small.Test.Pixels.Length];
        for (var i = 0; i < Small.Test.Count; i++)
            images.Write(Small.Test.Pixels.AsSpan(i * 784, 784), i, pixels.AsSpan(i * 784, 784));
        var corrupted = Small with { Test = Small.Test with { Pixels = pixels } };

        var expected = Run(Spec with { Corruptions = false, Epochs = 1 }, corrupted).Scores!.Test;

        Assert.Equal(expected, Run(Spec with { Epochs = 1 }, Small).Corruptions.Single(row => row.Corruption == corruption).Scores);
    }

    [Fact]
    public void Run_StoppedAmongTheCorruptions_GoesOnAfterTheLastEpoch()
    {
        var spec = Spec with { Epochs = 1 };
        using var stop = new CancellationTokenSource();
        var messages = new List<RunnerMessage>();
        Assert.Throws<OperationCanceledException>(() =>
            TrainingLoop.Run(spec, Small, torch.CPU, null, TimeSpan.MaxValue, StopAtTheThird, stop.Token)
        );
        var saved = Assert.IsType<Checkpointed>(messages[^1]).Checkpoint;

        var again = new List<RunnerMessage>();
        var finished = TrainingLoop.Run(spec, Small, torch.CPU, saved, TimeSpan.MaxValue, again.Add, CancellationToken.None);

        Assert.Empty(again.OfType<Progressed>()); // no step remained
        Assert.Equal(Run(spec, Small).Corruptions, finished.Model.Corruptions);

        void StopAtTheThird(RunnerMessage message)
        {
            messages.Add(message);
            // One comes with the scores of the test set, and one with those of each corruption.
            if (message == new Alive(Pace.UnmeasuredSeconds) && messages.Count(one => one == message) == 3)
                stop.Cancel();
        }
    }

    [Fact]
    public void Run_WithOneValidationImage_SaysWhyThereAreNoFiguresUnderCorruption()
    {
        var few = Small with { Train = new(Small.Train.Pixels[..(20 * 784)], Small.Train.Labels[..20]) };
        var spec = Spec with { Epochs = 1, ValidationFraction = 0.05 };

        var finished = TrainingLoop.Run(spec, few, torch.CPU, null, TimeSpan.MaxValue, _ => { }, CancellationToken.None);

        Assert.Empty(finished.Model.Corruptions);
        Assert.Contains(finished.Result.Notes, note => note.Contains("one validation image"));
    }

    private static TrainedModel Run(JobSpec spec, Dataset dataset) =>
        TrainingLoop.Run(spec, dataset, torch.CPU, null, TimeSpan.MaxValue, _ => { }, CancellationToken.None).Model;

    private static Dataset Shorten(Dataset dataset) =>
        dataset with
        {
            Train = new(dataset.Train.Pixels[..(600 * 784)], dataset.Train.Labels[..600]),
            Test = new(dataset.Test.Pixels[..(300 * 784)], dataset.Test.Labels[..300]),
        };
}
