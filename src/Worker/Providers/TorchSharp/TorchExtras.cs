namespace Temper.Worker;

/// <summary>What the training code asks of libtorch beyond TorchSharp's API: emulated where its operations can, else left undone.</summary>
internal static class TorchExtras
{
    public static string Provider => $"TorchSharp {typeof(torch).Assembly.GetName().Version}, libtorch {torch.__version__}";

    /// <summary>TorchSharp reaches neither malloc's thresholds nor the determinism flags: slower, and bit-equal on the CPU only.</summary>
    public static void Prepare() { }

    /// <summary>glibc's own thresholds, which this leg leaves alone, give it back by themselves.</summary>
    public static void ReleaseMemory() { }

    /// <summary>TorchSharp has no memory format argument; this copy has exactly the strides of channels last.</summary>
    public static Tensor ChannelsLast(Tensor images_NCHW) => images_NCHW.permute(0, 2, 3, 1).contiguous().permute(0, 3, 1, 2);

    /// <summary>Weights keep their layout: convolutions follow the images'.</summary>
    public static void ChannelsLast(Module model) { }

    public static Tensor BatchNormRelu(Tensor images_NCHW, BatchNorm2d normalization, Tensor? residual = null)
    {
        var x = normalization.forward(images_NCHW);
        return functional.relu(residual is null ? x : x + residual);
    }

    public static Tensor Crop(Tensor images_NCHW, Tensor rows_NH, Tensor columns_NW)
    {
        var image = torch.arange(images_NCHW.shape[0], int64, images_NCHW.device).view(-1, 1, 1);
        return images_NCHW.permute(0, 2, 3, 1).index(TensorIndex.Tensor(image), TensorIndex.Tensor(rows_NH.unsqueeze(2)), TensorIndex.Tensor(columns_NW.unsqueeze(1))).permute(0, 3, 1, 2);
    }

    public static void ClipGradients(OptimizerHelper optimizer, Module model, double largestNorm) => torch.nn.utils.clip_grad_norm_(model.parameters(), largestNorm);

    /// <summary>relu and max commute; pooling first leaves relu a quarter of the elements.</summary>
    public static Tensor ConvReluPool(Tensor images_NCHW, Conv2d conv) => functional.relu(functional.max_pool2d(conv.forward(images_NCHW), 2));
}
