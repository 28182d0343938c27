using static Temper.Kernels.NativeKernels;

namespace Temper.Kernels;

public static unsafe partial class Fused
{
    /// <summary>
    /// A block of a residual network, relu(norm2(conv2(relu(norm1(conv1(x))))) + shortcut), in as few passes over memory as its
    /// two normalizations allow. Separate operations would take six passes.
    /// </summary>
    /// <param name="images_NCHW">Fast if channels last, on the CPU, with a number of channels that fits the registers.</param>
    /// <param name="shortcut_NCHW">The shortcut to add; null for the images themselves.</param>
    /// <remarks>He et al. 2016, arXiv:1512.03385, figure 2.</remarks>
    public static Tensor ResidualBlock(
        Tensor images_NCHW,
        Conv2d conv1,
        BatchNorm2d norm1,
        Conv2d conv2,
        BatchNorm2d norm2,
        Tensor? shortcut_NCHW = null
    )
    {
        // If the first convolution has a stride or changes the channels, compute it beforehand and begin the block after it.
        var isWhole = shortcut_NCHW is null;
        var begin = isWhole ? images_NCHW : Convolution(images_NCHW, conv1);
        if (!FitsBlock(begin, isWhole ? conv1 : null, norm1, conv2, norm2, shortcut_NCHW, out var sizes))
        {
            var active = BatchNorm(isWhole ? Convolution(begin, conv1) : begin, norm1, relu: true);
            return BatchNorm(Convolution(active, conv2), norm2, shortcut_NCHW ?? images_NCHW, relu: true);
        }
        if (norm1.training)
        {
            norm1.num_batches_tracked?.add_(1);
            norm2.num_batches_tracked?.add_(1);
            // TorchSharp treats a null argument as one that is not a tensor.
            return ResidualBlockFunction.apply(
                begin,
                shortcut_NCHW!,
                isWhole ? conv1.weight : null!,
                norm1.weight,
                norm1.bias!,
                conv2.weight,
                norm2.weight,
                norm2.bias!,
                norm1,
                norm2,
                sizes
            );
        }
        var output = EmptyLike(begin);
        KernelLibrary.Check(
            tk_block_infer(
                sizes,
                Floats(begin),
                Floats(shortcut_NCHW),
                isWhole ? Floats(conv1.weight) : null,
                Norm.Of(norm1, statistics: null),
                Floats(conv2.weight),
                Norm.Of(norm2, statistics: null),
                Floats(output)
            ),
            begin,
            shortcut_NCHW
        );
        // Keep the modules alive, because they own the weights and statistics.
        GC.KeepAlive(conv1);
        GC.KeepAlive(norm1);
        GC.KeepAlive(conv2);
        GC.KeepAlive(norm2);
        return output;
    }

    private static bool FitsBlock(
        Tensor begin,
        Conv2d? conv1,
        BatchNorm2d norm1,
        Conv2d conv2,
        BatchNorm2d norm2,
        Tensor? shortcut,
        out BlockSizes sizes
    )
    {
        sizes = default;
        if (
            ConvolutionFit.Of(begin, conv2) is not { } convolution
            || convolution.InChannels != convolution.OutChannels
            || conv2.bias is not null
        )
            return false;
        if (
            conv1 is not null
            && (conv1.bias is not null || conv1.out_channels != convolution.InChannels || ConvolutionFit.Of(begin, conv1) is null)
        )
            return false;
        var channels = convolution.InChannels;
        sizes = new BlockSizes
        {
            Images = convolution.Images,
            Height = convolution.Height,
            Width = convolution.Width,
            Channels = channels,
            Lanes = tk_block_lanes(channels),
        };
        if (sizes.Lanes == 0 || !FitsNorm(norm1, channels) || !FitsNorm(norm2, channels) || norm1.training != norm2.training)
            return false;
        // libtorch has to build a graph through the running statistics; the kernels cannot.
        if (!norm1.training && torch.is_grad_enabled())
            return false;
        return shortcut is null || (ImageLayout.Fits(shortcut) && shortcut.shape.SequenceEqual(begin.shape));
    }

    private sealed class ResidualBlockFunction : KernelFunction<ResidualBlockFunction>
    {
        private const string Sizes = "sizes";

        protected override Tensor Forward(autograd.AutogradContext context, object[] arguments)
        {
            var (begin, shortcut, conv1, conv2) = (
                (Tensor)arguments[0],
                (Tensor?)arguments[1],
                (Tensor?)arguments[2],
                (Tensor)arguments[5]
            );
            var (norm1, norm2, sizes) = ((BatchNorm2d)arguments[8], (BatchNorm2d)arguments[9], (BlockSizes)arguments[10]);
            Tensor statistics1 = torch.empty([4, sizes.Channels], ScalarType.Float32),
                statistics2 = torch.empty([4, sizes.Channels], ScalarType.Float32);
            Tensor? convolved1 = conv1 is null ? null : EmptyLike(begin);
            Tensor convolved2 = EmptyLike(begin),
                output = EmptyLike(begin);
            KernelLibrary.Check(
                tk_block_train(
                    sizes,
                    Floats(begin),
                    Floats(shortcut),
                    Floats(conv1),
                    Norm.Of(norm1, statistics1),
                    Floats(conv2),
                    Norm.Of(norm2, statistics2),
                    Floats(convolved1),
                    Floats(convolved2),
                    Floats(output)
                ),
                begin,
                shortcut,
                conv1,
                conv2
            );
            GC.KeepAlive(norm1);
            GC.KeepAlive(norm2);
            // Save a detached output, because the output itself would keep this node alive.
            context.save_for_backward([begin, conv1!, statistics1, conv2, statistics2, convolved1!, convolved2, output.detach()]);
            context.save_data(Sizes, arguments[10]);
            return output;
        }

        protected override Tensor?[] Backward(autograd.AutogradContext context, List<Tensor> saved, Tensor gradient)
        {
            var (begin, conv1, statistics1, conv2, statistics2, convolved1, convolved2, output) = (
                saved[0],
                (Tensor?)saved[1],
                saved[2],
                saved[3],
                saved[4],
                (Tensor?)saved[5],
                saved[6],
                saved[7]
            );
            var sizes = (BlockSizes)context.get_data(Sizes)!;
            Tensor outputGrad = ImageLayout.Of(gradient),
                activeGrad = EmptyLike(begin);
            Tensor? beginGrad = begin.requires_grad ? EmptyLike(begin) : null,
                shortcutGrad = conv1 is null ? EmptyLike(begin) : null,
                conv1Grad = conv1 is null ? null : torch.empty(conv1.shape, ScalarType.Float32);
            Tensor conv2Grad = torch.empty(conv2.shape, ScalarType.Float32);
            Tensor[] normGrads = [.. Enumerable.Range(0, 4).Select(_ => torch.empty([sizes.Channels], ScalarType.Float32))];
            var gradients = new BlockGradients
            {
                Input = Floats(beginGrad),
                Residual = Floats(shortcutGrad),
                Conv1Weight = Floats(conv1Grad),
                Conv2Weight = Floats(conv2Grad),
                Norm1Weight = Floats(normGrads[0]),
                Norm1Bias = Floats(normGrads[1]),
                Norm2Weight = Floats(normGrads[2]),
                Norm2Bias = Floats(normGrads[3]),
            };
            KernelLibrary.Check(
                tk_block_backward(
                    sizes,
                    Floats(begin),
                    Floats(conv1),
                    Floats(statistics1),
                    Floats(conv2),
                    Floats(statistics2),
                    Floats(convolved1),
                    Floats(convolved2),
                    Floats(output),
                    Floats(outputGrad),
                    Floats(activeGrad),
                    gradients
                ),
                [.. saved, outputGrad, activeGrad]
            );
            return
            [
                beginGrad,
                shortcutGrad,
                conv1Grad,
                normGrads[0],
                normGrads[1],
                conv2Grad,
                normGrads[2],
                normGrads[3],
                null,
                null,
                null,
            ];
        }
    }
}
