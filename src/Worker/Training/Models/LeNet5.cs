namespace Temper.Worker.Training.Models;

/// <summary>
/// LeNet-5 in its usual form today: conv 6 and conv 16, each 5×5 with relu and 2×2 maximum pooling, then 120, 84 and K
/// units.
/// </summary>
/// <remarks>
/// LeCun et al. 1998, "Gradient-based learning applied to document recognition", figure 2. Its images are 32×32; smaller ones get
/// a border here, and larger ones more inputs to the first linear layer. The original has tanh, average pooling with weights,
/// radial basis units at the end and a sparse second
/// convolution.
/// </remarks>
internal sealed class LeNet5 : Module<Tensor, Tensor>
{
    private const int Side = 32,
        Kernel = 5;

    private readonly Conv2d conv1;
    private readonly Conv2d conv2;
    private readonly Linear fc1;
    private readonly Linear fc2;
    private readonly Linear fc3;

    public LeNet5(int channels, int height, int width, int classes)
        : base(nameof(LeNet5))
    {
        var (rows, columns) = (Border(height), Border(width));
        conv1 = Conv2d(channels, 6, (Kernel, Kernel), padding: (rows, columns));
        conv2 = Conv2d(6, 16, Kernel);
        fc1 = Linear(16 * Left(height + 2 * rows) * Left(width + 2 * columns), 120);
        fc2 = Linear(120, 84);
        fc3 = Linear(84, classes);
        RegisterComponents();
    }

    /// <summary>Pixels that are added at each end of a side.</summary>
    private static int Border(int side) => Math.Max(0, (Side - side) / 2);

    /// <summary>What two convolutions and poolings leave of a side.</summary>
    private static int Left(int side) => ((side - Kernel + 1) / 2 - Kernel + 1) / 2;

    public override Tensor forward(Tensor images_NCHW)
    {
        var x = functional.max_pool2d(functional.relu(conv1.forward(images_NCHW)), 2);
        x = functional.max_pool2d(functional.relu(conv2.forward(x)), 2);
        x = Fused.Linear(Fused.Flatten(x), fc1, relu: true);
        x = Fused.Linear(x, fc2, relu: true);
        return Fused.Linear(x, fc3);
    }
}
