using System.Runtime.InteropServices;
using Temper.Torch.Modules;

namespace Temper.Torch;

/// <summary>What TorchSharp does not have. Code that both bindings compile reaches it only through the worker's provider seam.</summary>
public static class Extras
{
    /// <summary>Of the libtorch this was built against.</summary>
    public static string LibtorchVersion => Marshal.PtrToStringUTF8(Native.tt_torch_version())!;

    /// <summary>Native tensor references not yet released, over all threads.</summary>
    public static long LiveTensors => Native.tt_live_tensors();

    /// <summary>Keeps freed activations in the heap, so that the next step does not fault their pages in again. Call once, at start.</summary>
    public static void TuneMalloc() => Native.Check(Native.tt_tune_malloc());

    /// <summary>Gives freed heap memory back to the system. What <see cref="TuneMalloc"/> keeps would otherwise stay with an idle process.</summary>
    public static void ReleaseMemory() => Native.tt_release_memory();

    /// <summary>Prefers kernels that give the same bits each time, where libtorch has the choice.</summary>
    public static void UseDeterministicAlgorithms(bool on) => Native.Check(Native.tt_use_deterministic_algorithms(on ? 1 : 0));

    /// <summary>The instruction set of the fused kernels on this machine: avx512, avx2 or none.</summary>
    public static string FusedKernels => Marshal.PtrToStringUTF8(Native.tt_fused_kernels())!;

    /// <summary>For tests and measurements: fused kernels of at most so many floats a register; below 8 none, so that libtorch's own operations do it all.</summary>
    public static void LimitVectorLanes(int lanes) => Native.tt_limit_vector_lanes(lanes);

    /// <summary>relu(max_pool2d(conv2d(input), 2)) as one operation, for a 3×3 convolution with padding 1 and stride 1.</summary>
    /// <param name="input_NCHW">Channels last, to be fused.</param>
    /// <returns>N×(out)×⌊H/2⌋×⌊W/2⌋.</returns>
    /// <exception cref="ArgumentException">It is another convolution.</exception>
    public static torch.Tensor ConvReluPool(torch.Tensor input_NCHW, Conv2d conv)
    {
        if (!conv.KeepsSizeBy3x3) throw new ArgumentException("The block is of a 3×3 convolution with stride 1 and padding 1.", nameof(conv));
        Native.Check(Native.tt_conv2d_relu_max_pool2d(input_NCHW.Handle, conv.weight.Handle, conv.bias?.Handle ?? TensorHandle.Null, out var result));
        return new(result);
    }

    /// <summary>A normalization and what commonly follows it, a residual added and then relu, as one operation.</summary>
    /// <param name="input_NCHW">Channels last, to be fused.</param>
    /// <param name="residual">Of the input's shape; null for none.</param>
    public static torch.Tensor BatchNorm(torch.Tensor input_NCHW, BatchNorm2d normalization, torch.Tensor? residual = null, bool relu = false) => normalization.Forward(input_NCHW, residual, relu);

    /// <summary>Of each image the pixels where its rows and columns meet, channels last.</summary>
    /// <param name="rows_NH">Int64, 0 to the images' height.</param>
    /// <param name="columns_NW">Int64, 0 to the images' width.</param>
    public static torch.Tensor Crop(torch.Tensor images_NCHW, torch.Tensor rows_NH, torch.Tensor columns_NW)
    {
        Native.Check(Native.tt_crop(images_NCHW.Handle, rows_NH.Handle, columns_NW.Handle, out var result));
        return new(result);
    }

    /// <summary>Scales all gradients down together where their 2-norm is larger.</summary>
    public static void ClipGradients(torch.optim.Optimizer optimizer, double largestNorm) => optimizer.ClipGradients(largestNorm);

    /// <summary>The same N×C×H×W values laid out N, H, W, C, which convolutions run faster on.</summary>
    public static torch.Tensor ChannelsLast(torch.Tensor images)
    {
        Native.Check(Native.tt_channels_last(images.Handle, out var result));
        return new(result);
    }

    /// <summary>Lays out a model's convolution weights channels last.</summary>
    public static void ChannelsLast(torch.nn.Module model) =>
        model.Convert(parameter => parameter.shape.Length == 4 ? ChannelsLast(parameter) : parameter.detach());
}
