using static Temper.Kernels.NativeKernels;

namespace Temper.Kernels;

public static unsafe partial class Fused
{
    /// <summary>
    /// relu(max_pool2d(conv(images), 2)) in one pass, for a 3×3 convolution with stride 1 and padding 1. It equals
    /// max_pool2d(relu(conv(images)), 2), because relu and the maximum commute.
    /// </summary>
    /// <param name="images_NCHW">Fast if channels last, on the CPU, with a number of channels that fits the registers.</param>
    /// <param name="conv">A convolution with a bias.</param>
    /// <param name="flatten">Whether the result is rows of C·H·W values, as linear layers expect, instead of images.</param>
    /// <returns>N×(out)×⌊H/2⌋×⌊W/2⌋, or N×(out·⌊H/2⌋·⌊W/2⌋).</returns>
    public static Tensor ConvReluPool(Tensor images_NCHW, Conv2d conv, bool flatten = false)
    {
        if (ConvolutionFit.Of(images_NCHW, conv) is not { } sizes || !ImageLayout.IsDense(conv.bias, sizes.OutChannels))
            return PlainConvReluPool(images_NCHW, conv, flatten);
        sizes.Lanes = tk_conv_pool_lanes(sizes);
        var isDifferentiated =
            torch.is_grad_enabled() && (images_NCHW.requires_grad || conv.weight.requires_grad || conv.bias!.requires_grad);
        // With one channel the kernel does not compute the gradient of the images.
        if (sizes.Lanes == 0 || (sizes.InChannels == 1 && isDifferentiated && images_NCHW.requires_grad))
            return PlainConvReluPool(images_NCHW, conv, flatten);
        return isDifferentiated
            ? ConvReluPoolFunction.apply(images_NCHW, conv.weight, conv.bias!, sizes, flatten)
            : ConvReluPool(images_NCHW, conv.weight, conv.bias!, sizes, flatten, positions: null);
    }

    private static Tensor PlainConvReluPool(Tensor images_NCHW, Conv2d conv, bool flatten)
    {
        var pooled = nn.functional.relu(nn.functional.max_pool2d(conv.forward(images_NCHW), 2));
        return flatten ? Flatten(pooled) : pooled;
    }

    /// <param name="positions">Receives the position, in its window, of the pixel that each output came from.</param>
    private static Tensor ConvReluPool(
        Tensor images,
        Tensor weight,
        Tensor bias,
        in ConvolutionSizes sizes,
        bool flatten,
        Tensor? positions
    )
    {
        long height = sizes.Height / 2,
            width = sizes.Width / 2;
        var output = flatten
            ? torch.empty([sizes.Images, sizes.OutChannels * height * width], ScalarType.Float32)
            : ImageLayout.Empty(sizes.Images, sizes.OutChannels, height, width);
        KernelLibrary.Check(
            tk_conv_pool_forward(
                sizes,
                Floats(images),
                Floats(weight),
                Floats(bias),
                flatten ? 1 : 0,
                Floats(output),
                (byte*)Floats(positions)
            ),
            images,
            weight,
            bias
        );
        return output;
    }

    private sealed class ConvReluPoolFunction : KernelFunction<ConvReluPoolFunction>
    {
        private const string Sizes = "sizes",
            IsFlat = "is flat";

        protected override Tensor Forward(autograd.AutogradContext context, object[] arguments)
        {
            var (images, weight, bias, sizes, flatten) = (
                (Tensor)arguments[0],
                (Tensor)arguments[1],
                (Tensor)arguments[2],
                (ConvolutionSizes)arguments[3],
                (bool)arguments[4]
            );
            var positions = torch.empty([sizes.Images, sizes.Height / 2, sizes.Width / 2, sizes.OutChannels], ScalarType.Byte);
            context.save_for_backward([images, weight, positions]);
            context.save_data(Sizes, arguments[3]);
            context.save_data(IsFlat, arguments[4]);
            return ConvReluPool(images, weight, bias, sizes, flatten, positions);
        }

        protected override Tensor?[] Backward(autograd.AutogradContext context, List<Tensor> saved, Tensor gradient)
        {
            var (images, weight, positions) = (saved[0], saved[1], saved[2]);
            var (sizes, isFlat) = ((ConvolutionSizes)context.get_data(Sizes)!, (bool)context.get_data(IsFlat)!);
            var outputGrad = isFlat ? gradient.contiguous() : ImageLayout.Of(gradient);
            Tensor weightGrad = torch.empty(weight.shape, ScalarType.Float32),
                biasGrad = torch.empty([sizes.OutChannels], ScalarType.Float32);
            var imagesGrad = images.requires_grad ? ImageLayout.Empty(sizes.Images, sizes.InChannels, sizes.Height, sizes.Width) : null;
            KernelLibrary.Check(
                tk_conv_pool_backward(
                    sizes,
                    Floats(images),
                    Floats(weight),
                    (byte*)Floats(positions),
                    isFlat ? 1 : 0,
                    Floats(outputGrad),
                    Floats(weightGrad),
                    Floats(biasGrad),
                    Floats(imagesGrad)
                ),
                images,
                weight,
                positions,
                outputGrad
            );
            return [imagesGrad, weightGrad, biasGrad, null, null];
        }
    }
}
