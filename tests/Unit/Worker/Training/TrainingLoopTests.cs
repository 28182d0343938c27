using Temper.Domain.Jobs;
using Temper.Domain.Smoothing;
using Temper.Harness;
using Temper.Worker.Datasets;
using Temper.Worker.Datasets.Digits;
using Temper.Worker.Messages;
using Temper.Worker.Training;
using Temper.Worker.Training.Models;

namespace Temper.Unit.Worker.Training;

[Collection(AloneCollection.Name)]
public class TrainingLoopTests
{
    private static readonly JobSpec Spec = new()
    {
        Dataset = "digits",
        Epsilon = 0.1,
        Epochs = 2,
        BatchSize = 50,
    };

    private static readonly Dataset Small = Shorten(DigitsDataset.Draw(new()), 600, 200);

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
        Assert.Equal(1, run.Messages.OfType<Progressed>().First().Progress.Step); // the duration of a step is known from here on
        Assert.Equal(new Alive(Pace.UnmeasuredSeconds), run.Messages[^1]); // scores and weights come next
        Assert.Equal([1, 2], run.Epochs.Select(epoch => epoch.Epoch));
        Assert.All(run.Epochs, epoch => Assert.Equal(0.001, epoch.LearningRate));
        Assert.Equal(2, run.Result.TrainedEpochs);
        Assert.Equal("cpu", run.Result.Device);
        Assert.Matches("^[0-9a-f]{64}$", run.Result.WeightsSha256);
    }

    /// <summary>
    /// Compares with the same training written without the loop: two epochs, each in its own order, with a partial last batch.
    /// </summary>
    [Fact]
    public void Run_TwoEpochs_IsTheTrainingWrittenOutByHand()
    {
        var run = Run(Spec);

        using var scope = NewDisposeScope();
        torch.manual_seed(Spec.Seed);
        using var model = new Cnn(1, 28, 28, 10);
        using var optimizer = torch.optim.Adam(model.parameters(), lr: 1e-3);
        var split = Split.Of(Spec, Small.Train.Count);
        double mean = Small.Train.Pixels.Average(pixel => (double)pixel);
        var deviation = Math.Sqrt(Small.Train.Pixels.Average(pixel => (pixel - mean) * (pixel - mean)));
        for (var epoch = 1; epoch <= 2; epoch++)
        {
            var (losses, hits) = (0.0, 0);
            foreach (var batch in split.Order(epoch).Chunk(50))
            {
                float[] pixels =
                [
                    .. batch
                        .SelectMany(i => Small.Train.Pixels.Skip((int)i * 784).Take(784))
                        .Select(pixel => (pixel - (float)mean) / (float)deviation),
                ];
                long[] labels = [.. batch.Select(i => (long)Small.Train.Labels[i])];
                optimizer.zero_grad();
                var logits = model.call(torch.tensor(pixels, [batch.Length, 1, 28, 28]));
                var loss = functional.cross_entropy(logits, torch.tensor(labels, [batch.Length]), label_smoothing: 0.1);
                Gradients.Compute(loss);
                optimizer.step();
                losses += loss.ToDouble() * batch.Length;
                hits += logits
                    .detach()
                    .data<float>()
                    .ToArray()
                    .Chunk(10)
                    .Zip(labels)
                    .Count(pair => Array.IndexOf(pair.First, pair.First.Max()) == pair.Second);
            }

            Assert.Equal(540, split.Training.Length); // ten whole batches and one of 40
            Assert.Equal(losses / 540, run.Epochs[epoch - 1].TrainLoss, 1e-3);
            Assert.Equal(hits / 540.0, run.Epochs[epoch - 1].TrainAccuracy, 0.011); // rounding may change a few predictions
        }
    }

    [Fact]
    public void Run_CosineSchedule_TrainsWithTheRatesItReports()
    {
        var (constant, cosine) = (Run(Spec), Run(Spec with { Schedule = ScheduleName.Cosine }));

        Assert.Equal([0.001, 0.0005], cosine.Epochs.Select(epoch => Math.Round(epoch.LearningRate, 9)));
        Assert.Equal(constant.Epochs[0].TrainLoss, cosine.Epochs[0].TrainLoss);
        Assert.NotEqual(constant.Epochs[1].TrainLoss, cosine.Epochs[1].TrainLoss);
    }

    /// <summary>
    /// A run that stops after any number of steps and continues from its checkpoint, perhaps more than once, ends with the same
    /// bits as an uninterrupted run.
    /// </summary>
    [Theory]
    [InlineData(OptimizerName.Adam, new[] { 1 })]
    [InlineData(OptimizerName.Adam, new[] { 10 })] // the last step of an epoch is the 11th
    [InlineData(OptimizerName.Adam, new[] { 11 })]
    [InlineData(OptimizerName.Adam, new[] { 12 })]
    [InlineData(OptimizerName.Adam, new[] { 3, 8, 5 })]
    [InlineData(OptimizerName.Sgd, new[] { 7, 10 })]
    public void Run_StoppedAndGoneOn_GivesTheBitsOfOneNeverTouched(OptimizerName optimizer, int[] stops) =>
        AssertGoesOn(Spec with { Optimizer = optimizer, Schedule = ScheduleName.Cosine, LabelNoise = 0.1 }, stops);

    /// <summary>Mixup and dropout draw anew at each step.</summary>
    [Fact]
    public void Run_WithMixupAndDropoutStoppedAndGoneOn_GivesTheBitsOfOneNeverTouched()
    {
        var spec = Spec with
        {
            Model = ModelName.Mlp,
            Widths = [16],
            Mixup = 0.4,
            Dropout = 0.5,
            Initialization = InitializationName.Gaussian,
        };

        AssertGoesOn(spec, [3, 8, 5]);
        var weights = new[]
        {
            spec,
            spec with
            {
                Mixup = 0,
            },
            spec with
            {
                Dropout = 0,
            },
            spec with
            {
                Initialization = InitializationName.Standard,
            },
        }.Select(one => Run(one).Result.WeightsSha256);
        Assert.Equal(4, weights.Distinct().Count());
    }

    public static TheoryData<string> QuickRecipes => [.. Recipes.Names.Where(name => !name.Contains("resnet"))];

    /// <summary>The rates of the recipes suit their first weights.</summary>
    [Theory]
    [MemberData(nameof(QuickRecipes))]
    public void Run_ARecipe_DoesNotDiverge(string recipe)
    {
        var run = Run(RecipeSpec.Of(recipe, "digits") with { Epochs = 1, BatchSize = 20 });

        Assert.True(run.Result.TestLoss < 2 * Math.Log(10), $"loss {run.Result.TestLoss}");
    }

    private static void AssertGoesOn(JobSpec spec, int[] stops)
    {
        var untouched = Run(spec);
        var (epochs, checkpoint) = (new Dictionary<int, EpochMetrics>(), (byte[]?)null);
        void Note(RunnerMessage message)
        {
            if (message is EpochDone done)
                epochs[done.Metrics.Epoch] = done.Metrics;
            if (message is Checkpointed made)
                checkpoint = made.Checkpoint;
        }

        foreach (var steps in stops)
        {
            using var stop = new CancellationTokenSource();
            var done = 0;
            // With no time between checkpoints there is one before every step, so the test can count steps.
            Assert.Throws<OperationCanceledException>(() =>
                TrainingLoop.Run(
                    spec,
                    Small,
                    torch.CPU,
                    checkpoint,
                    TimeSpan.Zero,
                    message =>
                    {
                        Note(message);
                        if (message is Checkpointed && ++done > steps)
                            stop.Cancel();
                    },
                    stop.Token
                )
            );
        }
        var last = TrainingLoop.Run(spec, Small, torch.CPU, checkpoint, TimeSpan.MaxValue, Note, CancellationToken.None);

        Assert.Equal(untouched.Result with { Notes = [] }, last.Result with { Notes = [] });
        Assert.Equal(untouched.Finished.Model.Weights, last.Model.Weights);
        Assert.Equal(untouched.Finished.Model.Logits!.TestLogits, last.Model.Logits!.TestLogits);
        Assert.Equal(untouched.Finished.Model.Logits.ValidationLogits, last.Model.Logits.ValidationLogits);
        Assert.Equal(untouched.Epochs.Select(Timeless), epochs.OrderBy(epoch => epoch.Key).Select(epoch => Timeless(epoch.Value)));
    }

    [Fact]
    public void Run_OfAResNetStoppedAndGoneOn_GivesTheBitsOfOneNeverTouched()
    {
        var spec = Spec with
        {
            Model = ModelName.Resnet20,
            Width = 8,
            Optimizer = OptimizerName.Sgd,
            LearningRate = 0.1,
            WarmupEpochs = 1,
            GradientClip = 1,
            Augmentation = AugmentationName.CropFlip,
        };
        var untouched = Run(spec);
        byte[]? checkpoint = null;
        using var stop = new CancellationTokenSource();
        var made = 0;
        Assert.Throws<OperationCanceledException>(() =>
            TrainingLoop.Run(
                spec,
                Small,
                torch.CPU,
                null,
                TimeSpan.Zero,
                message =>
                {
                    if (message is not Checkpointed here)
                        return;
                    checkpoint = here.Checkpoint;
                    if (++made == 14)
                        stop.Cancel(); // in the second epoch
                },
                stop.Token
            )
        );

        var last = TrainingLoop.Run(spec, Small, torch.CPU, checkpoint, TimeSpan.MaxValue, _ => { }, CancellationToken.None);

        Assert.Equal(untouched.Result with { Notes = [] }, last.Result with { Notes = [] });
        Assert.Equal(untouched.Finished.Model.Weights, last.Model.Weights);
    }

    /// <summary>The validation after an epoch takes long on a large set. A stop during it loses nothing of the epoch.</summary>
    [Fact]
    public void Run_StoppedInAnEvaluation_KeepsTheEpochsSteps()
    {
        var untouched = Run(Spec with { Epochs = 1 });
        byte[]? checkpoint = null;
        using var stop = new CancellationTokenSource();
        var made = 0;
        Assert.Throws<OperationCanceledException>(() =>
            TrainingLoop.Run(
                Spec with
                {
                    Epochs = 1,
                },
                Small,
                torch.CPU,
                null,
                TimeSpan.Zero,
                message =>
                {
                    if (message is not Checkpointed here)
                        return;
                    checkpoint = here.Checkpoint;
                    if (++made == 11)
                        stop.Cancel(); // before the last step
                },
                stop.Token
            )
        );
        var messages = new List<RunnerMessage>();

        var last = TrainingLoop.Run(
            Spec with
            {
                Epochs = 1,
            },
            Small,
            torch.CPU,
            checkpoint,
            TimeSpan.Zero,
            messages.Add,
            CancellationToken.None
        );

        Assert.Empty(messages.OfType<Checkpointed>()); // no training step remained
        Assert.Equal(untouched.Result with { Notes = [] }, last.Result with { Notes = [] });
    }

    [Fact]
    public void Run_GoneOnAfterTheLastEpoch_OnlyTests()
    {
        var (untouched, checkpoint) = RunWithCheckpoints(Spec with { Epochs = 1 });
        // Makes a checkpoint after the last epoch from the one before the last step: one epoch beyond the last, no steps.
        var messages = new List<RunnerMessage>();
        using var scope = NewDisposeScope();
        using var model = new Cnn(1, 28, 28, 10);
        using var optimizer = new FusedAdam(model.parameters());
        Restore(checkpoint, model, optimizer);
        var over = new Checkpoint(2, 0, 0, 0).Save(model, optimizer);

        var finished = TrainingLoop.Run(
            Spec with
            {
                Epochs = 1,
            },
            Small,
            torch.CPU,
            over,
            TimeSpan.MaxValue,
            messages.Add,
            CancellationToken.None
        );

        Assert.IsType<TrainingStarted>(Assert.Single(messages, message => message is not Alive));
        Assert.Equal(untouched.Model.Logits!.ValidationLabels, finished.Model.Logits!.ValidationLabels);
    }

    [Fact]
    public void Restore_WhatAnotherBuildOrModelWrote_ChangesNothingOrSaysWhy()
    {
        using var model = new Cnn(1, 28, 28, 10);
        using var other = new Cnn(1, 28, 28, 7);
        using var optimizer = new FusedAdam(model.parameters());
        using var otherOptimizer = new FusedAdam(other.parameters());
        var saved = Checkpoint.Start.Save(other, otherOptimizer);

        using var sgd = new FusedSgd(other.parameters(), 0.1);

        Assert.Null(Checkpoint.Open([99, .. saved[1..]]));
        Assert.Throws<InvalidDataException>(() => Restore(saved, model, optimizer));
        Assert.Throws<InvalidDataException>(() => Restore(saved, other, sgd));
        Assert.Throws<InvalidDataException>(() => Restore([.. saved, 0], other, otherOptimizer));
        foreach (var length in new[] { 0, 1, 20, 1000, saved.Length - 1 })
            Assert.Throws<InvalidDataException>(() => Restore(saved[..length], other, otherOptimizer));
        // Damages one byte at a time, of a number or of a length.
        for (var at = 25; at < 200; at++)
            Assert.Null(Record.Exception(() => Restored(saved, at, other, otherOptimizer)));
    }

    /// <summary>Layout 2 is layout 3 without the byte after the sums that says whether there is a best epoch.</summary>
    [Fact]
    public void Open_OfTheLayoutBefore_HasTheSameStateWithoutABestEpoch()
    {
        using var model = new Cnn(1, 28, 28, 10);
        using var optimizer = new FusedAdam(model.parameters());
        var saved = new Checkpoint(3, 5, 1.5, 70).Save(model, optimizer);
        using var restored = new Cnn(1, 28, 28, 10);
        using var restoredOptimizer = new FusedAdam(restored.parameters());

        var reader = Checkpoint.Open([2, .. saved[1..25], .. saved[26..]])!;
        reader.Restore(restored);
        reader.Restore(restoredOptimizer);

        Assert.Equal(new Checkpoint(3, 5, 1.5, 70), reader.Standing);
        Assert.Equal(Safetensors.Sha256(model), Safetensors.Sha256(restored));
    }

    /// <summary>Restores with one damaged byte; damage may only cause an InvalidDataException.</summary>
    private static void Restored(byte[] saved, int at, Cnn model, FusedOptimizer optimizer)
    {
        var damaged = saved.ToArray();
        damaged[at] ^= 0xFF;
        try
        {
            Restore(damaged, model, optimizer);
        }
        catch (InvalidDataException) { }
    }

    private static void Restore(byte[] saved, Cnn model, FusedOptimizer optimizer)
    {
        var reader = Checkpoint.Open(saved)!;
        reader.Restore(model);
        reader.Restore(optimizer);
    }

    [Fact]
    public void Run_FromACheckpointOfAnotherBuild_BeginsAnewAndSaysSo()
    {
        var (_, checkpoint) = RunWithCheckpoints(Spec);
        var messages = new List<RunnerMessage>();

        var anew = TrainingLoop.Run(
            Spec,
            Small,
            torch.CPU,
            [1, .. checkpoint[1..]],
            TimeSpan.MaxValue,
            messages.Add,
            CancellationToken.None
        );

        Assert.Contains("began anew", Assert.IsType<TrainingStarted>(messages[0]).Note);
        Assert.Equal(2, messages.OfType<EpochDone>().Count());
        Assert.Equal(Run(Spec).Result.WeightsSha256, anew.Result.WeightsSha256);
        Assert.Null(Assert.IsType<TrainingStarted>(Run(Spec).Messages[0]).Note);
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

    [Theory]
    [InlineData(LossName.Focal)]
    [InlineData(LossName.ConfidencePenalty)]
    [InlineData(LossName.MarginSmoothing)]
    [InlineData(LossName.MaxSuppression)]
    public void Run_WithAnotherLoss_LearnsAndIsAnotherTraining(LossName loss)
    {
        var spec = Spec with { Epochs = 8, Epsilon = loss == LossName.MaxSuppression ? 0.1 : 0 };
        var run = Run(spec with { Loss = loss, Margin = loss == LossName.MarginSmoothing ? 1 : null });

        Assert.InRange(run.Epochs[^1].ValidationAccuracy, 0.4, 1);
        Assert.True(run.Epochs[^1].TrainLoss < run.Epochs[0].TrainLoss);
        Assert.NotEqual(Run(spec with { Epsilon = 0 }).Result.WeightsSha256, run.Result.WeightsSha256);
    }

    [Fact]
    public void Run_BothConventionsOfOneSmoothing_AreTheSameTraining()
    {
        var uniform = Run(Spec with { Epsilon = 0.1 });
        var others = Run(Spec with { Epsilon = 0.09, Smoothing = SmoothingConvention.Others });

        Assert.Equal(uniform.Result.WeightsSha256, others.Result.WeightsSha256);
    }

    /// <summary>Half of the labels are wrong, so the loss on validation soon rises.</summary>
    private static readonly JobSpec OverFitted = Spec with
    {
        Model = ModelName.Mlp,
        Widths = [64],
        Epsilon = 0,
        LearningRate = 0.003,
        LabelNoise = 0.5,
        Epochs = 12,
    };

    [Theory]
    [InlineData(KeepName.Nll)]
    [InlineData(KeepName.NllAfterTemperature)]
    public void Run_KeepingTheBestEpoch_GivesTheBitsOfARunThatEndsThere(KeepName keep)
    {
        var run = Run(OverFitted with { Keep = keep });

        var best = run.Epochs.MinBy(epoch => epoch.LossBy(keep))!.Epoch;
        Assert.InRange(best, 2, 11);
        Assert.Equal((best, 12), (run.Result.KeptEpoch, run.Result.TrainedEpochs));
        var ended = Run(OverFitted with { Epochs = best });
        Assert.Equal(ended.Result with { TrainedEpochs = 12, Notes = [] }, run.Result with { Notes = [] });
        Assert.Equal(ended.Finished.Model.Scores, run.Finished.Model.Scores);
        Assert.Equal(ended.Finished.Model.Weights, run.Finished.Model.Weights);
        Assert.Equal(ended.Finished.Model.Logits!.ValidationLogits, run.Finished.Model.Logits!.ValidationLogits);
    }

    [Theory]
    [InlineData(KeepName.Nll)]
    [InlineData(KeepName.NllAfterTemperature)]
    public void Run_StoppedAfterItsBestEpochAndGoneOn_KeepsTheSameBits(KeepName keep)
    {
        var spec = OverFitted with { Keep = keep, Epochs = 8 };

        Assert.InRange(Run(spec).Result.KeptEpoch, 2, 5);
        AssertGoesOn(spec, [60, 12]); // an epoch has 11 steps
    }

    [Fact]
    public void Run_KeepingTheLastEpoch_ChecksPointsWithOneSetOfWeights()
    {
        var (last, best) = (LengthOf(KeepName.Last), LengthOf(KeepName.Nll));

        var weights = 4 * (784 * 64 + 64 + 64 * 10 + 10);
        Assert.InRange(best - last, weights, weights + 1000);

        static int LengthOf(KeepName keep) => RunWithCheckpoints(OverFitted with { Keep = keep, Epochs = 2 }).Checkpoint.Length;
    }

    [Fact]
    public void Run_AfterEachEpoch_TellsTheLossAfterTemperatureThatScoresHave()
    {
        var run = Run(OverFitted with { Epochs = 2 });

        var loss = run.Epochs[^1].ValidationLossAfterTemperature;
        Assert.Equal(run.Finished.Model.Scores!.Validation.NllAfterTemperature, loss);
        Assert.InRange(loss!.Value, 0, run.Epochs[^1].ValidationLoss);
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

        Assert.Throws<OperationCanceledException>(() =>
            TrainingLoop.Run(
                Spec with
                {
                    Epochs = 1000,
                },
                Small,
                torch.CPU,
                null,
                TimeSpan.MaxValue,
                message =>
                {
                    messages.Add(message);
                    if (message is EpochDone)
                        stop.Cancel();
                },
                stop.Token
            )
        );

        Assert.Single(messages.OfType<EpochDone>());
    }

    [Fact]
    public void Run_LossThatIsNoNumber_SaysThatItDiverged()
    {
        var spec = Spec with { Optimizer = OptimizerName.Sgd, LearningRate = 10, WeightDecay = 1, Epochs = 50 };

        var error = Assert.Throws<TrainingDivergedException>(() => Run(spec));

        Assert.Contains("learningRate", error.Message);
    }

    /// <summary>
    /// With no time between checkpoints one is due before every step. The loop keeps no checkpoint that is not finite and trains
    /// no step on one.
    /// </summary>
    [Fact]
    public void Run_LossThatIsNoNumber_IsNotedAtTheNextCheckpoint()
    {
        var spec = Spec with { Optimizer = OptimizerName.Sgd, LearningRate = 10, WeightDecay = 1, Epochs = 50 };
        var messages = new List<RunnerMessage>();

        Assert.Throws<TrainingDivergedException>(() =>
            TrainingLoop.Run(spec, Small, torch.CPU, null, TimeSpan.Zero, messages.Add, CancellationToken.None)
        );

        var saved = messages.OfType<Checkpointed>().ToArray();
        Assert.NotEmpty(saved);
        Assert.All(saved, made => Assert.True(IsFinite(made.Checkpoint)));
    }

    [Fact]
    public void Run_StoppedOnceItsWeightsAreNoNumbers_SaysThatItDiverged()
    {
        var (_, checkpoint) = RunWithCheckpoints(Spec with { Epochs = 1 });
        using var scope = NewDisposeScope();
        using var model = new Cnn(1, 28, 28, 10);
        using var optimizer = new FusedAdam(model.parameters());
        Restore(checkpoint, model, optimizer);
        using (no_grad())
            model.parameters().First().fill_(float.NaN);
        var spoiled = new Checkpoint(1, 5, 1, 1).Save(model, optimizer); // as older builds wrote it
        using var stop = new CancellationTokenSource();
        var messages = new List<RunnerMessage>();

        Assert.Throws<TrainingDivergedException>(() =>
            TrainingLoop.Run(
                Spec with
                {
                    Epochs = 1,
                },
                Small,
                torch.CPU,
                spoiled,
                TimeSpan.MaxValue,
                message =>
                {
                    messages.Add(message);
                    stop.Cancel();
                },
                stop.Token
            )
        );

        Assert.Empty(messages.OfType<Checkpointed>());
    }

    /// <summary>At this rate the loss explodes but stays within the range of a float.</summary>
    [Fact]
    public void Run_ThatEndsFarFromWhatGuessingGives_SaysSoInItsNotes()
    {
        var diverged = Run(
            Spec with
            {
                Model = ModelName.Resnet20,
                Width = 8,
                Optimizer = OptimizerName.Sgd,
                LearningRate = 10,
                Epochs = 1,
            }
        );

        Assert.Contains("diverged", Assert.Single(diverged.Result.Notes));
        Assert.Empty(Run(Spec).Result.Notes);
    }

    private static bool IsFinite(byte[] checkpoint)
    {
        using var scope = NewDisposeScope();
        using var model = new Cnn(1, 28, 28, 10);
        var reader = Checkpoint.Open(checkpoint)!;
        reader.Restore(model);
        return double.IsFinite(reader.Standing.LossSum) && model.parameters().All(parameter => parameter.isfinite().all().ToBoolean());
    }

    private sealed record Outcome(Finished Finished, List<RunnerMessage> Messages)
    {
        public JobResult Result => Finished.Result;

        public EpochMetrics[] Epochs => [.. Messages.OfType<EpochDone>().Select(message => message.Metrics)];
    }

    private static Outcome Run(JobSpec spec)
    {
        var messages = new List<RunnerMessage>();
        return new(TrainingLoop.Run(spec, Small, torch.CPU, null, TimeSpan.MaxValue, messages.Add, CancellationToken.None), messages);
    }

    /// <returns>What the run gave, and the last of the checkpoints that it made before each step.</returns>
    private static (Finished Finished, byte[] Checkpoint) RunWithCheckpoints(JobSpec spec)
    {
        byte[]? checkpoint = null;
        var finished = TrainingLoop.Run(
            spec,
            Small,
            torch.CPU,
            null,
            TimeSpan.Zero,
            message => checkpoint = message is Checkpointed made ? made.Checkpoint : checkpoint,
            CancellationToken.None
        );
        return (finished, checkpoint!);
    }

    private static EpochMetrics Timeless(EpochMetrics metrics) => metrics with { Seconds = 0, ImagesPerSecond = 0 };

    private static Dataset Shorten(Dataset dataset, int train, int test) =>
        dataset with
        {
            Train = Shorten(dataset.Train, train),
            Test = Shorten(dataset.Test, test),
        };

    private static LabelledImages Shorten(LabelledImages images, int count) => new(images.Pixels[..(count * 784)], images.Labels[..count]);
}
