namespace Temper.Kernels;

/// <summary>
/// The layout of images that the kernels accept: N×C×H×W tensors in the memory order N, H, W, C, which PyTorch calls
/// channels last.
/// </summary>
internal static class ImageLayout
{
    /// <summary>
    /// Whether a tensor is float32, on the CPU, with four dimensions, channels last, without gaps and not empty.
    /// </summary>
    public static bool Fits(Tensor tensor)
    {
        if (tensor.device_type != DeviceType.CPU || tensor.dtype != ScalarType.Float32 || tensor.Dimensions != 4)
            return false;
        long[] size = tensor.shape,
            stride = tensor.stride();
        long channels = size[1],
            row = size[3] * channels,
            image = size[2] * row;
        // Ignore the stride of a dimension of size 1, which has no effect.
        return size.All(length => length > 0)
            && (size[0] == 1 || stride[0] == image)
            && (channels == 1 || stride[1] == 1)
            && (size[2] == 1 || stride[2] == row)
            && (size[3] == 1 || stride[3] == channels);
    }

    /// <summary>The same images in this layout: the tensor itself if it fits, otherwise a copy.</summary>
    public static Tensor Of(Tensor images_NCHW) =>
        Fits(images_NCHW) ? images_NCHW : images_NCHW.permute(0, 2, 3, 1).contiguous().permute(0, 3, 1, 2);

    public static Tensor Empty(long images, long channels, long height, long width) =>
        torch.empty_strided(
            [images, channels, height, width],
            [height * width * channels, 1, width * channels, channels],
            ScalarType.Float32
        );

    /// <summary>
    /// Whether a tensor, such as a weight or a bias, is contiguous float32 on the CPU with this number of elements.
    /// </summary>
    public static bool IsDense(Tensor? tensor, long elements) =>
        tensor is not null
        && tensor.device_type == DeviceType.CPU
        && tensor.dtype == ScalarType.Float32
        && tensor.is_contiguous()
        && tensor.numel() == elements;
}
