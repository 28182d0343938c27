using System.Runtime.InteropServices;

namespace Temper.Kernels;

/// <summary>The C ABI of native/temper_kernels.h, function by function.</summary>
internal static unsafe partial class NativeKernels
{
    private const string Library = "temper_kernels";

    [StructLayout(LayoutKind.Sequential)]
    internal struct ConvolutionSizes
    {
        public long Images,
            Height,
            Width,
            InChannels,
            OutChannels,
            Lanes;
    }

    [StructLayout(LayoutKind.Sequential)]
    internal struct RowSizes
    {
        public long Count,
            Channels,
            Lanes;
    }

    [StructLayout(LayoutKind.Sequential)]
    internal struct Norm
    {
        public float* Weight,
            Bias,
            RunningMean,
            RunningVar,
            Statistics;
        public double Eps,
            Momentum;

        /// <param name="statistics">Buffer for the values that the backward pass needs, 4×C; null in inference.</param>
        public static Norm Of(BatchNorm2d norm, Tensor? statistics) =>
            new()
            {
                Weight = Floats(norm.weight),
                Bias = Floats(norm.bias),
                RunningMean = Floats(norm.running_mean),
                RunningVar = Floats(norm.running_var),
                Statistics = Floats(statistics),
                Eps = norm.eps,
                Momentum = norm.momentum!.Value,
            };
    }

    [StructLayout(LayoutKind.Sequential)]
    internal struct BlockSizes
    {
        public long Images,
            Height,
            Width,
            Channels,
            Lanes;
    }

    [StructLayout(LayoutKind.Sequential)]
    internal struct BlockGradients
    {
        public float* Input,
            Residual,
            Conv1Weight,
            Conv2Weight,
            Norm1Weight,
            Norm1Bias,
            Norm2Weight,
            Norm2Bias;
    }

    [StructLayout(LayoutKind.Sequential)]
    internal struct LinearSizes
    {
        public long Rows,
            Inputs,
            Outputs,
            Lanes;
    }

    /// <summary>
    /// The address of a tensor's first element. TorchSharp's <see cref="Tensor.bytes"/> makes the same call after a check that
    /// the tensor is contiguous.
    /// </summary>
    /// <exception cref="InvalidOperationException">The tensor has elements but no memory.</exception>
    internal static float* Floats(Tensor? tensor)
    {
        if (tensor is null)
            return null;
        var address = (float*)THSTensor_data(tensor.Handle);
        return address is not null || tensor.numel() == 0
            ? address
            : throw new InvalidOperationException("The tensor has no memory that a kernel could use.");
    }

    [LibraryImport("LibTorchSharp"), SuppressGCTransition]
    private static partial nint THSTensor_data(nint tensor);

    // Without SuppressGCTransition. With it, the runtime would load the library when it compiles a calling method, before that
    // method checks whether the library is there.
    [LibraryImport(Library)]
    internal static partial void tk_set_threads(nint parallel, int threads);

    [LibraryImport(Library)]
    internal static partial int tk_lanes();

    [LibraryImport(Library)]
    internal static partial void tk_limit_lanes(int lanes);

    [LibraryImport(Library)]
    internal static partial long tk_conv_pool_lanes(in ConvolutionSizes convolution);

    [LibraryImport(Library)]
    internal static partial int tk_conv_pool_forward(
        in ConvolutionSizes convolution,
        float* input,
        float* weight,
        float* bias,
        int flat,
        float* output,
        byte* positions
    );

    [LibraryImport(Library)]
    internal static partial int tk_conv_pool_backward(
        in ConvolutionSizes convolution,
        float* input,
        float* weight,
        byte* positions,
        int flat,
        float* outputGrad,
        float* weightGrad,
        float* biasGrad,
        float* inputGrad
    );

    [LibraryImport(Library)]
    internal static partial long tk_conv_lanes(in ConvolutionSizes convolution);

    [LibraryImport(Library)]
    internal static partial int tk_conv_forward(in ConvolutionSizes convolution, float* input, float* weight, float* output);

    [LibraryImport(Library)]
    internal static partial int tk_conv_backward(
        in ConvolutionSizes convolution,
        float* input,
        float* weight,
        float* outputGrad,
        float* weightGrad,
        float* inputGrad
    );

    [LibraryImport(Library)]
    internal static partial long tk_batch_norm_lanes(long channels);

    [LibraryImport(Library)]
    internal static partial int tk_batch_norm_train(in RowSizes rows, in Norm norm, float* input, float* residual, int relu, float* output);

    [LibraryImport(Library)]
    internal static partial int tk_batch_norm_infer(in RowSizes rows, in Norm norm, float* input, float* residual, int relu, float* output);

    [LibraryImport(Library)]
    internal static partial int tk_batch_norm_backward(
        in RowSizes rows,
        float* input,
        float* statistics,
        float* output,
        float* outputGrad,
        float* inputGrad,
        float* weightGrad,
        float* biasGrad,
        float* residualGrad
    );

    [LibraryImport(Library)]
    internal static partial long tk_block_lanes(long channels);

    [LibraryImport(Library)]
    internal static partial int tk_block_train(
        in BlockSizes block,
        float* input,
        float* residual,
        float* conv1Weight,
        in Norm norm1,
        float* conv2Weight,
        in Norm norm2,
        float* convolved1,
        float* convolved2,
        float* output
    );

    [LibraryImport(Library)]
    internal static partial int tk_block_infer(
        in BlockSizes block,
        float* input,
        float* residual,
        float* conv1Weight,
        in Norm norm1,
        float* conv2Weight,
        in Norm norm2,
        float* output
    );

    [LibraryImport(Library)]
    internal static partial int tk_block_backward(
        in BlockSizes block,
        float* input,
        float* conv1Weight,
        float* statistics1,
        float* conv2Weight,
        float* statistics2,
        float* convolved1,
        float* convolved2,
        float* output,
        float* outputGrad,
        float* activeGrad,
        in BlockGradients gradients
    );

    [LibraryImport(Library)]
    internal static partial long tk_linear_lanes();

    [LibraryImport(Library)]
    internal static partial int tk_linear_forward(in LinearSizes sizes, float* input, float* weight, float* bias, int relu, float* output);

    [LibraryImport(Library)]
    internal static partial int tk_linear_backward(
        in LinearSizes sizes,
        float* input,
        float* weight,
        float* output,
        float* outputGrad,
        float* weightGrad,
        float* biasGrad,
        float* inputGrad
    );

    [LibraryImport(Library)]
    internal static partial long tk_gather_images(
        long count,
        long available,
        long size,
        byte* images,
        long* indices,
        float mean,
        float deviation,
        float* output
    );

    [LibraryImport(Library)]
    internal static partial int tk_transpose(long count, long rows, long columns, float* from, float* to);

    [LibraryImport(Library)]
    internal static partial long tk_cross_entropy_forward(
        long rows,
        long classes,
        float* logits,
        long* labels,
        double smoothing,
        float* loss,
        float* probabilities
    );

    [LibraryImport(Library)]
    internal static partial long tk_count_hits(long rows, long classes, float* logits, long* labels);

    [LibraryImport(Library)]
    internal static partial int tk_cross_entropy_backward(
        long rows,
        long classes,
        float* probabilities,
        long* labels,
        double smoothing,
        float scale,
        float* logitsGrad
    );

    [LibraryImport(Library)]
    internal static partial int tk_adam_step(
        int count,
        nint* weights,
        nint* gradients,
        nint* means,
        nint* squares,
        long* sizes,
        long step,
        double learningRate,
        double beta1,
        double beta2,
        double eps,
        double weightDecay
    );

    [LibraryImport(Library)]
    internal static partial int tk_sgd_step(
        int count,
        nint* weights,
        nint* gradients,
        nint* buffers,
        long* sizes,
        double learningRate,
        double momentum,
        double weightDecay,
        int nesterov
    );
}
