using static Temper.Kernels.NativeKernels;

namespace Temper.Kernels;

public static unsafe partial class Fused
{
    /// <summary>Gathers some of the images, normalized.</summary>
    /// <param name="pixels_NHWC">uint8, contiguous.</param>
    /// <param name="indices_N">Int64, each from 0 to below the number of images.</param>
    /// <param name="mean">In pixel units.</param>
    /// <param name="deviation">In pixel units, above 0.</param>
    /// <returns>(pixel − mean) / deviation as float32, N×C×H×W, channels last.</returns>
    /// <exception cref="IndexOutOfRangeException">An index is out of range. Thrown only on the CPU.</exception>
    public static Tensor GatherImages(Tensor pixels_NHWC, Tensor indices_N, double mean, double deviation)
    {
        if (
            !KernelLibrary.IsLoaded
            || pixels_NHWC.Dimensions != 4
            || indices_N.Dimensions != 1
            || pixels_NHWC.device_type != DeviceType.CPU
            || indices_N.device_type != DeviceType.CPU
            || !pixels_NHWC.is_contiguous()
            || !indices_N.is_contiguous()
            || pixels_NHWC.dtype != ScalarType.Byte
            || indices_N.dtype != ScalarType.Int64
        )
            return pixels_NHWC.index_select(0, indices_N).to_type(ScalarType.Float32).sub_(mean).div_(deviation).permute(0, 3, 1, 2);
        var size = pixels_NHWC.shape;
        var images = ImageLayout.Empty(indices_N.numel(), size[3], size[1], size[2]);
        var wrong = tk_gather_images(
            indices_N.numel(),
            size[0],
            size[1] * size[2] * size[3],
            (byte*)Floats(pixels_NHWC),
            (long*)Floats(indices_N),
            (float)mean,
            (float)deviation,
            Floats(images)
        );
        GC.KeepAlive(pixels_NHWC);
        GC.KeepAlive(indices_N);
        return wrong < 0 ? images : throw new IndexOutOfRangeException($"Index {wrong} is of no image: there are {size[0]}.");
    }
}
