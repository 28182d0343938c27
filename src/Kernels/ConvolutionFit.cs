using static Temper.Kernels.NativeKernels;

namespace Temper.Kernels;

internal static class ConvolutionFit
{
    /// <summary>The sizes of a convolution that our kernels can compute: 3×3, stride 1, padding 1, channels last.</summary>
    /// <returns>Null if libtorch has to compute it. The caller still has to set the lanes.</returns>
    public static ConvolutionSizes? Of(Tensor images_NCHW, Conv2d conv)
    {
        if (!KernelLibrary.IsLoaded || !ImageLayout.Fits(images_NCHW))
            return null;
        var is3x3 =
            conv.kernel_size is [3, 3]
            && conv.stride.All(step => step == 1)
            && conv.padding is { } padding
            && padding.All(width => width == 1)
            && conv.dilation.All(step => step == 1)
            && conv.groups == 1
            && conv.padding_mode == PaddingModes.Zeros;
        var size = images_NCHW.shape;
        if (!is3x3 || size[1] != conv.in_channels || !ImageLayout.IsDense(conv.weight, conv.out_channels * conv.in_channels * 9))
            return null;
        return new ConvolutionSizes
        {
            Images = size[0],
            Height = size[2],
            Width = size[3],
            InChannels = size[1],
            OutChannels = conv.out_channels,
        };
    }
}
