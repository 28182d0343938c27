using static Temper.Kernels.NativeKernels;

namespace Temper.Kernels;

public static unsafe partial class Fused
{
    /// <summary>A convolution, by our kernels when it is 3×3 with stride 1, padding 1 and no bias.</summary>
    /// <param name="images_NCHW">Fast if channels last, on the CPU, with a number of channels that fits the registers.</param>
    /// <param name="conv">Any convolution; libtorch computes those that the kernels cannot.</param>
    /// <returns>conv.forward(images_NCHW).</returns>
    public static Tensor Convolution(Tensor images_NCHW, Conv2d conv)
    {
        if (conv.bias is not null || ConvolutionFit.Of(images_NCHW, conv) is not { } sizes)
            return conv.forward(images_NCHW);
        sizes.Lanes = tk_conv_lanes(sizes);
        if (sizes.Lanes == 0)
            return conv.forward(images_NCHW);
        var isDifferentiated = torch.is_grad_enabled() && (images_NCHW.requires_grad || conv.weight.requires_grad);
        return isDifferentiated ? ConvolutionFunction.apply(images_NCHW, conv.weight, sizes) : Convolution(images_NCHW, conv.weight, sizes);
    }

    private static Tensor Convolution(Tensor images, Tensor weight, in ConvolutionSizes sizes)
    {
        var output = ImageLayout.Empty(sizes.Images, sizes.OutChannels, sizes.Height, sizes.Width);
        KernelLibrary.Check(tk_conv_forward(sizes, Floats(images), Floats(weight), Floats(output)), images, weight);
        return output;
    }

    private sealed class ConvolutionFunction : KernelFunction<ConvolutionFunction>
    {
        private const string Sizes = "sizes";

        protected override Tensor Forward(autograd.AutogradContext context, object[] arguments)
        {
            var (images, weight) = ((Tensor)arguments[0], (Tensor)arguments[1]);
            context.save_for_backward([images, weight]);
            context.save_data(Sizes, arguments[2]);
            return Convolution(images, weight, (ConvolutionSizes)arguments[2]);
        }

        protected override Tensor?[] Backward(autograd.AutogradContext context, List<Tensor> saved, Tensor gradient)
        {
            var (images, weight, sizes) = (saved[0], saved[1], (ConvolutionSizes)context.get_data(Sizes)!);
            var outputGrad = ImageLayout.Of(gradient);
            var weightGrad = weight.requires_grad ? torch.empty(weight.shape, ScalarType.Float32) : null;
            var imagesGrad = images.requires_grad ? ImageLayout.Empty(sizes.Images, sizes.InChannels, sizes.Height, sizes.Width) : null;
            KernelLibrary.Check(
                tk_conv_backward(sizes, Floats(images), Floats(weight), Floats(outputGrad), Floats(weightGrad), Floats(imagesGrad)),
                images,
                weight,
                outputGrad
            );
            return [imagesGrad, weightGrad, null];
        }
    }
}
