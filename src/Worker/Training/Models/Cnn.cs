namespace Temper.Worker.Training.Models;

/// <summary>
/// The CNN that label-smoothing tutorials use: conv 32, conv 64, each 3×3 with relu and 2×2 pooling, then 128 and K
/// units.
/// </summary>
/// <remarks>Tutorials often print fc1 with 64·28·28 inputs, which crashes: two poolings leave 7×7 of 28×28.</remarks>
internal sealed class Cnn : Module<Tensor, Tensor>
{
    private readonly Conv2d conv1;
    private readonly Conv2d conv2;
    private readonly Linear fc1;
    private readonly Linear fc2;

    public Cnn(int channels, int height, int width, int classes)
        : base(nameof(Cnn))
    {
        conv1 = Conv2d(channels, 32, 3, padding: 1);
        conv2 = Conv2d(32, 64, 3, padding: 1);
        fc1 = Linear(64 * (height / 4) * (width / 4), 128);
        fc2 = Linear(128, classes);
        RegisterComponents();
    }

    public override Tensor forward(Tensor images_NCHW)
    {
        var x = Fused.ConvReluPool(images_NCHW, conv1);
        x = Fused.ConvReluPool(x, conv2, flatten: true);
        x = Fused.Linear(x, fc1, relu: true);
        return Fused.Linear(x, fc2);
    }
}
