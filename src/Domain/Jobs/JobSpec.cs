using Temper.Domain.Datasets;
using Temper.Domain.Smoothing;

namespace Temper.Domain.Jobs;

/// <summary>What to train and how. Only the first three fields are required.</summary>
public sealed record JobSpec
{
    /// <summary>
    /// Name of the data set to train on. That of an uploaded one may end in a version, such as `birds@3`; without one it is the
    /// newest, and the stored spec names its version. `digits` takes parameters: `digits:classes=37,size=64,noise=0.4,images=10000`.
    /// </summary>
    public required string Dataset { get; init; }

    /// <summary>
    /// Label smoothing ε, in the convention that `smoothing` names. With 0, the job trains on hard labels. With `maxSuppression` it is
    /// the factor of the regularizer. It is 0 with the other losses.
    /// </summary>
    public required double Epsilon { get; init; }

    /// <summary>Passes over the training images.</summary>
    public required int Epochs { get; init; }

    /// <summary>
    /// A published recipe, such as `he2016-resnet20`: the fields that are absent take its values, `epochs` too. The others replace its
    /// values.
    /// </summary>
    public string? Recipe { get; init; }

    /// <summary>The meaning of ε: `uniform` is PyTorch's (1−ε)·onehot + ε/K; `others` gives the true class 1−ε.</summary>
    public SmoothingConvention Smoothing { get; init; } = SmoothingConvention.Uniform;

    /// <summary>
    /// What training minimizes, the mean over the batch; p is the softmax of the logits z, and y the label. `crossEntropy`:
    /// −Σ q·log p against the smoothed targets q. `focal`: −(1 − p_y)^γ·log p_y. `confidencePenalty`: −log p_y − β·H(p), H being the
    /// entropy. `marginSmoothing`: −log p_y + weight·mean_k max(0, max z − z_k − margin). `maxSuppression`: −log p_y + ε·(max z −
    /// mean z).
    /// </summary>
    public LossName Loss { get; init; }

    /// <summary>γ of the `focal` loss, above 0 to 10: the larger, the less an image counts whose p_y is large. 3 when absent.</summary>
    public double? Gamma { get; init; }

    /// <summary>
    /// `constant`: the `focal` loss has the same γ for all images; `flsd53`: γ is 5 for an image with p_y below 0.2, and 3 for the
    /// others.
    /// </summary>
    public GammaScheduleName GammaSchedule { get; init; }

    /// <summary>β of `confidencePenalty`, the weight of the entropy, above 0 to 10. 0.1 when absent.</summary>
    public double? Beta { get; init; }

    /// <summary>The distance between logits up to which `marginSmoothing` penalizes nothing, 0 to 1000. 10 when absent.</summary>
    public double? Margin { get; init; }

    /// <summary>Weight of the penalty of `marginSmoothing`, above 0 to 10. 0.1 when absent.</summary>
    public double? Weight { get; init; }

    /// <summary>
    /// α of mixup: each batch is mixed with itself in another order by a share from Beta(α, α), and the loss is mixed likewise. With
    /// 0, nothing is mixed; otherwise 0.001 to 2.
    /// </summary>
    public double Mixup { get; init; }

    /// <summary>
    /// `cnn`: two 3×3 convolutions (32, 64), each with relu and 2×2 max pooling, then 128 and K linear units. `resnet20`,
    /// `resnet56`: the residual networks of He et al. 2016 for small images; they need `sgd`, a learning rate near 0.1 and a
    /// schedule. `mlp`: fully connected layers with relu. `lenet5`: two 5×5 convolutions (6, 16), each with relu and 2×2 max
    /// pooling, then 120, 84 and K units.
    /// </summary>
    public ModelName Model { get; init; } = ModelName.Cnn;

    /// <summary>
    /// Channels of a residual network's first stage; each of the next two stages doubles them. 16 when absent, as in the paper.
    /// </summary>
    public int? Width { get; init; }

    /// <summary>Units of each hidden layer of an `mlp`; 1200 and 1200 when absent.</summary>
    public IReadOnlyList<int>? Widths { get; init; }

    /// <summary>
    /// Share of the hidden units of an `mlp`, 0 to 0.9, that each training step sets to 0; the others grow by 1/(1 − share).
    /// </summary>
    public double Dropout { get; init; }

    /// <summary>
    /// The first weights. `standard`: those of libtorch, uniform within 1/√inputs for a linear layer; `gaussian`, for an `mlp`: a
    /// normal distribution with a standard deviation of 0.03, and biases of 0.
    /// </summary>
    public InitializationName Initialization { get; init; }

    /// <summary>Images per optimizer step; the last batch of an epoch may be smaller.</summary>
    public int BatchSize { get; init; } = 128;

    /// <summary>`adam` with β = (0.9, 0.999), or `sgd` with Nesterov momentum 0.9.</summary>
    public OptimizerName Optimizer { get; init; } = OptimizerName.Adam;

    /// <summary>
    /// Step size at the start; `schedule` changes it. The default suits `adam`; `sgd` needs about ten times more.
    /// </summary>
    public double LearningRate { get; init; } = 1e-3;

    /// <summary>L2 penalty added to the gradient.</summary>
    public double WeightDecay { get; init; }

    /// <summary>
    /// How the learning rate changes at the start of each epoch: `constant`: not at all; `cosine`, `linear`: down to 0 over all epochs;
    /// `step`: to a tenth after half of the epochs and to a hundredth after three quarters.
    /// </summary>
    public ScheduleName Schedule { get; init; } = ScheduleName.Constant;

    /// <summary>Epochs over which the learning rate rises linearly to the value from `schedule`.</summary>
    public int WarmupEpochs { get; init; }

    /// <summary>Largest 2-norm of all gradients together; larger gradients are scaled down to it. No limit when absent.</summary>
    public double? GradientClip { get; init; }

    /// <summary>
    /// `none`; `cropFlip`, for photographs: shifts each training image by up to 4 pixels over a border of zeros, and mirrors it
    /// half of the time; `shift`, for characters: shifts it by up to 2 pixels over a black border, and never mirrors it.
    /// </summary>
    public AugmentationName Augmentation { get; init; } = AugmentationName.None;

    /// <summary>
    /// Determines initial weights, validation split, label noise, augmentation, order of images and corruptions. The same seed gives
    /// the same run, bit for bit.
    /// </summary>
    public long Seed { get; init; }

    /// <summary>Share of the training images that is kept out of training and used to evaluate each epoch.</summary>
    public double ValidationFraction { get; init; } = 0.1;

    /// <summary>Share of training labels (after the split) replaced by a uniformly drawn other class.</summary>
    public double LabelNoise { get; init; }

    /// <summary>
    /// Whether the trained model is also evaluated on corrupted test images: noise, blur, rotation and contrast in five strengths
    /// each; see `/jobs/{id}/corruptions`.
    /// </summary>
    public bool Corruptions { get; init; }

    /// <summary>`auto` uses a CUDA device if the worker has one.</summary>
    public DeviceName Device { get; init; } = DeviceName.Auto;

    /// <summary>Jobs of higher priority run first; jobs of equal priority run oldest first.</summary>
    public int Priority { get; init; }

    /// <summary>The job fails for good at this number of crashes, errors and lost workers.</summary>
    public int MaxAttempts { get; init; } = 3;

    /// <summary>Longest time that one attempt may run, after which the job fails for good. No limit when absent.</summary>
    public int? TimeoutSeconds { get; init; }

    /// <summary>A name for display.</summary>
    public string? Name { get; init; }

    /// <summary>Address to which the service posts the end of the job, signed; nothing is posted when absent.</summary>
    public string? Notify { get; init; }

    /// <summary>Tags by which lists can be filtered.</summary>
    public IReadOnlyList<string> Tags { get; init; } = [];

    /// <summary>The uploaded data set's content, which the service looks up by its name; null for the other data sets.</summary>
    public DatasetContent? Data { get; init; }

    /// <summary>The target distribution of this spec: hard labels with a loss other than `crossEntropy`.</summary>
    /// <exception cref="ArgumentException">The data set does not exist or ε is out of range, so the spec was not
    /// checked.</exception>
    public LabelSmoothing LabelSmoothing()
    {
        var dataset = DatasetCard() ?? throw new ArgumentException($"There is no data set '{Dataset}'.");
        var epsilon = Loss == LossName.CrossEntropy ? Epsilon : 0;
        return Domain.Smoothing.LabelSmoothing.Of(Smoothing, epsilon, dataset.Classes);
    }

    /// <summary>The loss of this spec with every setting filled in.</summary>
    /// <exception cref="ArgumentException">As of <see cref="LabelSmoothing"/>.</exception>
    public TrainingLoss TrainingLoss() =>
        new(
            Loss,
            LabelSmoothing(),
            Epsilon,
            GammaSchedule,
            Gamma ?? Domain.Smoothing.TrainingLoss.DefaultGamma,
            Beta ?? Domain.Smoothing.TrainingLoss.DefaultBeta,
            Margin ?? Domain.Smoothing.TrainingLoss.DefaultMargin,
            Weight ?? Domain.Smoothing.TrainingLoss.DefaultWeight,
            Mixup
        );

    /// <summary>The data set to train on; null when the spec was not checked and there is none.</summary>
    public DatasetCard? DatasetCard() => Data is null ? DatasetCatalog.Find(Dataset) : Data.Card(Dataset);
}

public enum ModelName
{
    Cnn,
    Resnet20,
    Resnet56,
    Mlp,
    Lenet5,
}

public enum InitializationName
{
    Standard,

    /// <summary>That of Müller et al. 2019, arXiv:1906.02629, A.5.</summary>
    Gaussian,
}

public enum OptimizerName
{
    Adam,
    Sgd,
}

public enum ScheduleName
{
    Constant,
    Cosine,
    Step,
    Linear,
}

public enum AugmentationName
{
    None,
    CropFlip,
    Shift,
}

public enum DeviceName
{
    Auto,
    Cpu,
    Cuda,
}
