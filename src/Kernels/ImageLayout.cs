namespace Temper.Kernels;

/// <summary>
/// The layout of images that the kernels take: N×C×H×W tensors that lie N, H, W, C in memory, which PyTorch calls
/// channels last.
/// </summary>
internal static class ImageLayout
{
    /// <summary>Whether it is a float32 tensor on the CPU with four dimensions, channels last, without gaps and not empty.</summary>
    public static bool Fits(Tensor tensor)
    {
        if (tensor.device_type != DeviceType.CPU || tensor.dtype != ScalarType.Float32 || tensor.Dimensions != 4)
            return false;
        long[] size = tensor.shape,
            stride = tensor.stride();
        long channels = size[1],
            row = size[3] * channels,
            image = size[2] * row;
        // The stride of a dimension of size 1 means nothing.
        return size.All(length => length > 0)
            && (size[0] == 1 || stride[0] == image)
            && (channels == 1 || stride[1] == 1)
            && (size[2] == 1 || stride[2] == row)
            && (size[3] == 1 || stride[3] == channels);
    }

    /// <summary>The same images in this layout: themselves where they have it, otherwise a copy.</summary>
    public static Tensor Of(Tensor images_NCHW) =>
        Fits(images_NCHW) ? images_NCHW : images_NCHW.permute(0, 2, 3, 1).contiguous().permute(0, 3, 1, 2);

    public static Tensor Empty(long images, long channels, long height, long width) =>
        torch.empty_strided(
            [images, channels, height, width],
            [height * width * channels, 1, width * channels, channels],
            ScalarType.Float32
        );

    /// <summary>Whether it is a contiguous float32 tensor on the CPU with so many elements: a weight, a bias, a statistic.</summary>
    public static bool IsDense(Tensor? tensor, long elements) =>
        tensor is not null
        && tensor.device_type == DeviceType.CPU
        && tensor.dtype == ScalarType.Float32
        && tensor.is_contiguous()
        && tensor.numel() == elements;
}
