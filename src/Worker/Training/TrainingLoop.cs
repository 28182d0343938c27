using System.Diagnostics;
using System.Globalization;
using Temper.Domain;
using Temper.Domain.Calibration;
using Temper.Domain.Jobs;
using Temper.Domain.Smoothing;
using Temper.Worker.Datasets;
using Temper.Worker.Messages;
using Temper.Worker.Training.Models;

namespace Temper.Worker.Training;

/// <summary>
/// Trains one job, from its spec to its result. Suffixes of names give shapes: N images of a batch, C channels, H height,
/// W width, K classes.
/// </summary>
internal sealed class TrainingLoop
{
    /// <summary>
    /// The end of an epoch makes no checkpoint if the last one is younger than this. On the smallest sets a checkpoint would cost
    /// more than training those seconds again.
    /// </summary>
    private static readonly TimeSpan LeastCheckpointGap = TimeSpan.FromSeconds(5);

    /// <summary>libtorch draws what is dropped. Each step seeds it, so a resumed run drops the same units.</summary>
    private const ulong DropoutStream = 5UL << 40;

    private readonly JobSpec spec;
    private readonly Dataset dataset;
    private readonly Device device;
    private readonly Action<RunnerMessage> report;
    private readonly CancellationToken stop;
    private readonly TrainingLoss trainingLoss;
    private readonly long[] labels;
    private readonly Split split;
    private readonly TimeSpan checkpointInterval;
    private long lastCheckpoint = Stopwatch.GetTimestamp();
    private readonly Pace pace;

    private TrainingLoop(
        JobSpec spec,
        Dataset dataset,
        Device device,
        TimeSpan checkpointInterval,
        Action<RunnerMessage> report,
        CancellationToken stop
    )
    {
        (this.spec, this.dataset, this.device, this.checkpointInterval, this.report, this.stop) = (
            spec,
            dataset,
            device,
            checkpointInterval,
            report,
            stop
        );
        trainingLoss = spec.TrainingLoss();
        labels = Widen(dataset.Train.Labels);
        split = Split.Of(spec, labels.Length, dataset.Card.ValidationImages);
        split.AddNoise(labels, spec.LabelNoise, dataset.Card.Classes);
        pace = new(spec.BatchSize);
    }

    /// <param name="saved">The checkpoint to resume from; null to start anew.</param>
    /// <param name="checkpointInterval">Interval between checkpoints within an epoch.</param>
    /// <param name="report">
    /// Called on this thread when the first step begins, then with progress, checkpoints and each epoch.
    /// </param>
    /// <param name="stop">Checked between steps and between evaluation batches. A stop first makes a last checkpoint.</param>
    /// <exception cref="OperationCanceledException">The caller asked for a stop.</exception>
    /// <exception cref="TrainingDivergedException">The loss, a logit or a weight is not finite.</exception>
    public static Finished Run(
        JobSpec spec,
        Dataset dataset,
        Device device,
        byte[]? saved,
        TimeSpan checkpointInterval,
        Action<RunnerMessage> report,
        CancellationToken stop
    ) => new TrainingLoop(spec, dataset, device, checkpointInterval, report, stop).Run(saved);

    private Finished Run(byte[]? saved)
    {
        using var scope = NewDisposeScope();
        torch.manual_seed(spec.Seed);
        using var model = ModelFactory.Create(spec, dataset.Card);
        var restored = saved is null ? null : Checkpoint.Open(saved);
        restored?.Restore(model);
        model.to(device);
        using var optimizer = CreateOptimizer(model);
        restored?.Restore(optimizer);

        var loading = Stopwatch.StartNew();
        var normalization = Normalization.Of(dataset);
        using var images = new ResidentImages(dataset, dataset.Train, labels, normalization, device);
        int[] validationLabels = [.. split.Validation.Select(i => (int)labels[i])];
        LabelledLogits? validation = null;
        var standing = restored?.Standing ?? Checkpoint.Start;
        report(
            new TrainingStarted(
                loading.Elapsed.TotalSeconds,
                saved is null || restored is not null ? null : "It began anew, because another build of Temper made its checkpoint."
            )
        );
        try
        {
            while (standing.Epoch <= spec.Epochs)
            {
                var (epoch, stepsBefore) = (standing.Epoch, standing.Steps);
                var clock = Stopwatch.StartNew();
                var rate = LearningRate.Of(spec, epoch);
                optimizer.LearningRate = rate;

                standing = TrainEpoch(model, optimizer, images, standing);
                var trainSeconds = clock.Elapsed.TotalSeconds;
                stop.ThrowIfCancellationRequested();
                RequireFinite(standing.LossSum, epoch);

                validation = Validate(model, epoch);
                var evaluation = Evaluation.Of(validation);
                report(new Alive(Pace.UnmeasuredSeconds));
                var afterTemperature = Scores.NllAfterTemperature(validation);
                double count = split.Training.Length;
                var metrics = new EpochMetrics(
                    epoch,
                    standing.LossSum / count,
                    standing.HitSum / count,
                    evaluation.Loss,
                    evaluation.Accuracy,
                    evaluation.Ece,
                    evaluation.SignedGap,
                    rate,
                    clock.Elapsed.TotalSeconds,
                    Math.Max(0, count - (double)stepsBefore * spec.BatchSize) / trainSeconds,
                    afterTemperature
                );
                standing = new(epoch + 1, 0, 0, 0, BestEpoch.After(standing.Best, epoch, metrics.LossBy(spec.Keep), model));
                report(new Alive(pace.QuietSeconds)); // the next steps take as long as those before
                report(new EpochDone(metrics, CheckpointDue(LeastCheckpointGap) ? Save(standing, model, optimizer) : null));
            }
            if (standing.Best is { } best && best.Epoch < spec.Epochs)
            {
                using var kept = ModelFactory.Create(spec, dataset.Card);
                best.Restore(kept);
                kept.to(device);
                return Test(kept, best.Epoch, normalization, Validate(kept, best.Epoch));
            }
            // A run that resumes after the last epoch still has to compute the validation logits.
            return Test(model, spec.Epochs, normalization, validation ?? Validate(model, spec.Epochs));
        }
        catch (OperationCanceledException)
        {
            report(new Checkpointed(Save(standing, model, optimizer)));
            throw;
        }

        LabelledLogits Validate(Module<Tensor, Tensor> trained, int epoch) =>
            Evaluator.Label(Logits(trained, images, split.Validation), validationLabels, dataset.Card.Classes, epoch);
    }

    /// <returns>The state after the epoch's last step, or earlier after a stop.</returns>
    private Checkpoint TrainEpoch(Module<Tensor, Tensor> model, FusedOptimizer optimizer, ResidentImages images, Checkpoint from)
    {
        using var epochScope = NewDisposeScope();
        var epoch = from.Epoch;
        var order = torch.tensor(split.Order(epoch), [split.Training.Length]).to(device);
        using var sums = new EpochSums(from, device);
        var count = split.Training.Length;
        var steps = (count + spec.BatchSize - 1) / spec.BatchSize;
        var epochStart = Stopwatch.GetTimestamp();
        pace.Begin();
        for (var step = from.Steps + 1; step <= steps; step++)
        {
            if (stop.IsCancellationRequested)
                return StandingAfter(step - 1);
            if (CheckpointDue(checkpointInterval))
                report(new Checkpointed(Save(StandingAfter(step - 1), model, optimizer)));
            using var stepScope = NewDisposeScope();
            var start = (step - 1) * spec.BatchSize;
            var size = Math.Min(spec.BatchSize, count - start);
            var batch_N = order.narrow(0, start, size);
            var images_NCHW = Augmentation.Apply(spec, images.Batch(batch_N), images.Black, epoch, step);
            var labels_N = images.Labels.index_select(0, batch_N);

            var mixup = Mixup.Draw(spec, size, epoch, step, device);
            mixup?.Mix(images_NCHW);

            if (spec.Dropout > 0)
                torch.manual_seed((long)new SplitMix64(spec.Seed, DropoutStream + ((ulong)epoch << 24) + (ulong)step).NextUInt64());
            optimizer.DropGradients();
            var logits_NK = model.call(images_NCHW);
            var loss = mixup?.Mean(trainingLoss, logits_NK, labels_N) ?? LossFunction.Mean(trainingLoss, logits_NK, labels_N);
            Gradients.Compute(loss);
            if (spec.GradientClip is { } largestNorm)
                optimizer.ClipGradients(largestNorm);
            optimizer.Step();

            sums.Add(loss, logits_NK, labels_N);

            if (!pace.ReportIsDue())
                continue;
            RequireFinite(sums.Loss, epoch); // not after each step, because on a GPU the host would wait for the sum
            report(new Progressed(ProgressAt(from, step, steps, Stopwatch.GetElapsedTime(epochStart).TotalSeconds), pace.QuietSeconds));
        }
        return StandingAfter(steps);

        Checkpoint StandingAfter(int done) => new(epoch, done, sums.Loss, sums.Hits, from.Best);
    }

    /// <summary>
    /// Evaluates, and reports signs of life: an evaluation reports no progress, but the supervisor must not treat it as hung.
    /// </summary>
    private float[] Logits(Module<Tensor, Tensor> model, ResidentImages images, long[] indices)
    {
        pace.Begin();
        return Evaluator.Logits(
            model,
            images,
            indices,
            dataset.Card.Classes,
            () =>
            {
                if (pace.ReportIsDue())
                    report(new Alive(pace.QuietSeconds));
            },
            stop
        );
    }

    /// <exception cref="TrainingDivergedException">
    /// The loss or a weight is not finite, so no training could resume from there.
    /// </exception>
    private byte[] Save(Checkpoint standing, Module<Tensor, Tensor> model, FusedOptimizer optimizer)
    {
        report(new Alive(Pace.UnmeasuredSeconds));
        RequireFinite(standing.LossSum, standing.Epoch);
        if (!IsFinite(model))
            throw new TrainingDivergedException(standing.Epoch);
        var saved = standing.Save(model, optimizer);
        report(new Alive(pace.QuietSeconds)); // the next steps take as long as those before
        return saved;
    }

    private static bool IsFinite(Module model)
    {
        using var scope = NewDisposeScope();
        return model.state_dict().Values.Where(tensor => tensor.is_floating_point()).All(tensor => tensor.isfinite().all().ToBoolean());
    }

    private static void RequireFinite(double loss, int epoch)
    {
        if (!double.IsFinite(loss))
            throw new TrainingDivergedException(epoch);
    }

    /// <returns>True if a checkpoint is due. True restarts the interval.</returns>
    private bool CheckpointDue(TimeSpan interval)
    {
        if (Stopwatch.GetElapsedTime(lastCheckpoint) < interval)
            return false;
        lastCheckpoint = Stopwatch.GetTimestamp();
        return true;
    }

    private TrainingProgress ProgressAt(Checkpoint from, int step, int steps, double seconds)
    {
        var images = Math.Min((long)step * spec.BatchSize, split.Training.Length);
        var imagesPerSecond = (images - (long)from.Steps * spec.BatchSize) / seconds;
        var imagesLeft = (spec.Epochs - from.Epoch + 1L) * split.Training.Length - images;
        return new(from.Epoch, spec.Epochs, step, steps, imagesPerSecond, imagesLeft / imagesPerSecond);
    }

    /// <summary>Loads the test set, only here and once, and evaluates the model on it.</summary>
    /// <param name="epoch">The epoch whose weights the model has.</param>
    private Finished Test(Module<Tensor, Tensor> model, int epoch, Normalization normalization, LabelledLogits validation)
    {
        using var images = new ResidentImages(dataset, dataset.Test, Widen(dataset.Test.Labels), normalization, device);
        var everyImage = Enumerable.Range(0, dataset.Test.Count).Select(i => (long)i).ToArray();
        var test = Evaluator.Label(Logits(model, images, everyImage), TestLabels(), dataset.Card.Classes, epoch);

        report(new Alive(Pace.UnmeasuredSeconds));
        var evaluation = Evaluation.Of(test);
        var stored = StoredLogits.Of(validation, test, TrueProbabilities(test));
        var scores = validation.Count < 2 ? null : Scores.Of(validation, test);
        var result = new JobResult(
            evaluation.Accuracy,
            evaluation.Loss,
            evaluation.Ece,
            evaluation.SignedGap,
            spec.Epochs,
            device.ToString(),
            torch.get_num_threads(),
            Libtorch.Description,
            Safetensors.Sha256(model),
            [.. dataset.Notes, .. NotesOn(evaluation, stored, validation, test)],
            dataset.Sha256,
            Build.Id
        )
        {
            KeptEpoch = epoch,
        };
        return new(
            result,
            new(Safetensors.Write(model, Metadata(normalization)), stored, scores)
            {
                Corruptions =
                    spec.Corruptions && scores is not null ? ScoreCorruptions(model, epoch, normalization, scores.Temperature) : [],
            }
        );
    }

    private IReadOnlyList<CorruptionScores> ScoreCorruptions(
        Module<Tensor, Tensor> model,
        int epoch,
        Normalization normalization,
        double temperature
    ) =>
        [
            .. CorruptedTest
                .Logits(dataset, spec.Seed, normalization, device, (images, indices) => Logits(model, images, indices))
                .Select(corrupted =>
                {
                    report(new Alive(Pace.UnmeasuredSeconds));
                    var logits = Evaluator.Label(corrupted.Logits, TestLabels(), dataset.Card.Classes, epoch);
                    return new CorruptionScores(corrupted.Corruption, SplitScores.Of(logits, temperature));
                }),
        ];

    private int[] TestLabels() => Array.ConvertAll(dataset.Test.Labels, label => (int)label);

    private IEnumerable<string> NotesOn(Evaluation evaluation, StoredLogits? stored, LabelledLogits validation, LabelledLogits test)
    {
        if (stored is null)
            yield return $"Logits were not kept: {validation.Count} + {test.Count} images of {test.Classes} classes exceed "
                + $"{StoredLogits.LargestBytes >> 20} MiB.";
        if (spec.Corruptions && validation.Count < 2)
            yield return "There are no figures under corruption: one validation image is too few for a temperature.";
        if (Divergence.NoteOn(evaluation.Accuracy, evaluation.Loss, test.Count, test.Classes, spec.LabelNoise) is { } note)
            yield return note;
    }

    /// <summary>
    /// The true probability of each test image's predicted class; null if the data set does not know how its labels were drawn.
    /// </summary>
    private double[]? TrueProbabilities(LabelledLogits test) =>
        dataset.Test.Blends is not { } blends
            ? null
            : [.. Predictions.Of(test).Predicted.Select((predicted, i) => blends[i].ProbabilityOf(predicted))];

    /// <summary>What another program needs to apply the weights to images.</summary>
    private Dictionary<string, string> Metadata(Normalization normalization) =>
        new()
        {
            ["model"] = spec.Model.ToString().ToLowerInvariant(),
            ["dataset"] = dataset.Card.Name,
            ["input"] =
                $"N×{dataset.Card.Channels}×{dataset.Card.Height}×{dataset.Card.Width} float32: (pixel from 0 to 255 - mean) / deviation",
            ["mean"] = normalization.Mean.ToString("R", CultureInfo.InvariantCulture),
            ["deviation"] = normalization.Deviation.ToString("R", CultureInfo.InvariantCulture),
        };

    private FusedOptimizer CreateOptimizer(Module model) =>
        spec.Optimizer switch
        {
            OptimizerName.Sgd => new FusedSgd(
                model.parameters(),
                spec.LearningRate,
                momentum: 0.9,
                weightDecay: spec.WeightDecay,
                nesterov: true
            ),
            _ => new FusedAdam(model.parameters(), spec.LearningRate, weightDecay: spec.WeightDecay),
        };

    private static long[] Widen(ushort[] labels) => Array.ConvertAll(labels, label => (long)label);
}
