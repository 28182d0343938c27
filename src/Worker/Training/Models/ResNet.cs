namespace Temper.Worker.Training.Models;

/// <summary>
/// The residual network for small images: a 3×3 convolution, three stages of blocks at the full, half and quarter
/// resolution with 1, 2 and 4 times `width` channels, the average over each channel, and K linear units.
/// </summary>
/// <remarks>He et al. 2016, arXiv:1512.03385, section 4.2: 6n + 2 layers, shortcuts without parameters, weights drawn as in
/// arXiv:1502.01852.</remarks>
internal sealed class ResNet : Module<Tensor, Tensor>
{
    private readonly Conv2d conv;
    private readonly BatchNorm2d norm;
    private readonly ModuleList<Block> blocks;
    private readonly Linear fc;

    /// <param name="depth">Number of layers, 6n + 2, such as 20 or 56.</param>
    /// <param name="width">Channels of the first stage; 16 in the paper.</param>
    public ResNet(int depth, int width, int channels, int classes)
        : base(nameof(ResNet))
    {
        var blocksPerStage = (depth - 2) / 6;
        conv = Convolution(channels, width, stride: 1);
        norm = BatchNorm2d(width);
        blocks = ModuleList([
            .. from stage in Enumerable.Range(0, 3)
            from block in Enumerable.Range(0, blocksPerStage)
            let isFirst = stage > 0 && block == 0
            select new Block(isFirst ? width << (stage - 1) : width << stage, width << stage, stride: isFirst ? 2 : 1),
        ]);
        fc = Linear(width << 2, classes);
        RegisterComponents();
    }

    public override Tensor forward(Tensor images_NCHW)
    {
        var x = Fused.BatchNorm(Fused.Convolution(images_NCHW, conv), norm, relu: true);
        foreach (var block in blocks)
            x = block.forward(x);
        return Fused.Linear(functional.adaptive_avg_pool2d(x, 1).flatten(1), fc);
    }

    /// <summary>A 3×3 convolution without a bias, because the normalization after it would cancel one.</summary>
    private static Conv2d Convolution(long from, long to, long stride)
    {
        var conv = Conv2d(from, to, 3, stride: stride, padding: 1, bias: false);
        init.kaiming_normal_(conv.weight);
        return conv;
    }

    /// <summary>Two convolutions, to whose output the shortcut adds the input.</summary>
    internal sealed class Block : Module<Tensor, Tensor>
    {
        private readonly Conv2d conv1;
        private readonly BatchNorm2d norm1;
        private readonly Conv2d conv2;
        private readonly BatchNorm2d norm2;
        private readonly long stride,
            moreChannels;

        public Block(long from, long to, long stride)
            : base(nameof(Block))
        {
            (this.stride, moreChannels) = (stride, to - from);
            conv1 = Convolution(from, to, stride);
            norm1 = BatchNorm2d(to);
            conv2 = Convolution(to, to, stride: 1);
            norm2 = BatchNorm2d(to);
            RegisterComponents();
        }

        public override Tensor forward(Tensor x) => Fused.ResidualBlock(x, conv1, norm1, conv2, norm2, stride == 1 ? null : Shortcut(x));

        /// <summary>Every other pixel of the input, with channels of zeros added up to the block's number.</summary>
        private Tensor Shortcut(Tensor x) =>
            functional.pad(functional.max_pool2d(x, 1, stride: stride), [0, 0, 0, 0, moreChannels / 2, moreChannels - moreChannels / 2]);
    }
}
