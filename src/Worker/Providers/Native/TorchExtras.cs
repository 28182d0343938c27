namespace Temper.Worker;

/// <summary>What the training code asks of libtorch beyond TorchSharp's API, by our own binding.</summary>
internal static class TorchExtras
{
    public static string Provider => $"libtorch {Extras.LibtorchVersion}, {Extras.FusedKernels} kernels";

    /// <summary>Process-wide settings, to be made before the first tensor.</summary>
    public static void Prepare()
    {
        Extras.TuneMalloc();
        Extras.UseDeterministicAlgorithms(true);
    }

    /// <summary>Gives memory that no tensor uses back to the system.</summary>
    public static void ReleaseMemory() => Extras.ReleaseMemory();

    public static Tensor ChannelsLast(Tensor images_NCHW) => Extras.ChannelsLast(images_NCHW);

    public static void ChannelsLast(Module model) => Extras.ChannelsLast(model);

    /// <summary>relu of the normalized images and, where there is one, a residual.</summary>
    public static Tensor BatchNormRelu(Tensor images_NCHW, BatchNorm2d normalization, Tensor? residual = null) => Extras.BatchNorm(images_NCHW, normalization, residual, relu: true);

    /// <summary>Of each image the pixels where its rows and columns meet, channels last.</summary>
    public static Tensor Crop(Tensor images_NCHW, Tensor rows_NH, Tensor columns_NW) => Extras.Crop(images_NCHW, rows_NH, columns_NW);

    /// <summary>Scales the gradients down where their 2-norm together is larger, without waiting for the device.</summary>
    public static void ClipGradients(OptimizerHelper optimizer, Module model, double largestNorm) => Extras.ClipGradients(optimizer, largestNorm);

    /// <summary>relu and maximum pooling 2×2 of a 3×3 convolution with padding 1.</summary>
    public static Tensor ConvReluPool(Tensor images_NCHW, Conv2d conv) => Extras.ConvReluPool(images_NCHW, conv);
}
