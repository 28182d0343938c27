using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Temper.Torch;

/// <summary>One native tensor reference; released from any thread, the finalizer's included.</summary>
internal sealed class TensorHandle : SafeHandle
{
    /// <summary>The undefined tensor: an absent bias or weight.</summary>
    internal static readonly TensorHandle Null = new();

    public TensorHandle() : base(0, ownsHandle: true) { }

    public override bool IsInvalid => handle == 0;

    protected override bool ReleaseHandle()
    {
        Native.tt_free(handle);
        return true;
    }
}

/// <summary>The C ABI of native/temper_torch.h, function by function.</summary>
internal static unsafe partial class Native
{
    private const string Library = "temper_torch";

    /// <exception cref="TorchException">The call failed; the message is libtorch's.</exception>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static void Check(int status)
    {
        if (status != 0) throw TorchException.Of(status, Marshal.PtrToStringUTF8(tt_last_error()) ?? "no message");
    }

    [LibraryImport(Library)] internal static partial nint tt_last_error();
    [LibraryImport(Library)] internal static partial nint tt_torch_version();
    [LibraryImport(Library)] internal static partial long tt_live_tensors();
    [LibraryImport(Library)] internal static partial int tt_set_num_threads(int threads);
    [LibraryImport(Library)] internal static partial int tt_get_num_threads();
    [LibraryImport(Library)] internal static partial int tt_tune_malloc();
    [LibraryImport(Library)] internal static partial void tt_release_memory();
    [LibraryImport(Library)] internal static partial int tt_use_deterministic_algorithms(int on);
    [LibraryImport(Library)] internal static partial int tt_manual_seed(long seed);
    [LibraryImport(Library), SuppressGCTransition] internal static partial int tt_grad_enabled();
    [LibraryImport(Library), SuppressGCTransition] internal static partial void tt_set_grad_enabled(int on);
    [LibraryImport(Library)] internal static partial int tt_cuda_is_available();
    [LibraryImport(Library)] internal static partial int tt_cuda_device_count();

    [LibraryImport(Library)] internal static partial void tt_free(nint t);
    [LibraryImport(Library)] internal static partial int tt_empty(long* sizes, long dims, int dtype, int deviceType, int deviceIndex, out TensorHandle result);
    [LibraryImport(Library)] internal static partial int tt_zeros(long* sizes, long dims, int dtype, int deviceType, int deviceIndex, out TensorHandle result);
    [LibraryImport(Library)] internal static partial int tt_zeros_like(TensorHandle t, out TensorHandle result);
    [LibraryImport(Library)] internal static partial int tt_from_data(void* data, int dtype, long* sizes, long dims, out TensorHandle result);
    [LibraryImport(Library), SuppressGCTransition] internal static partial long tt_dim(TensorHandle t);
    [LibraryImport(Library)] internal static partial int tt_sizes(TensorHandle t, long* sizes);
    [LibraryImport(Library), SuppressGCTransition] internal static partial long tt_numel(TensorHandle t);
    [LibraryImport(Library), SuppressGCTransition] internal static partial int tt_dtype(TensorHandle t);
    [LibraryImport(Library)] internal static partial int tt_device(TensorHandle t, out int type, out int index);
    [LibraryImport(Library)] internal static partial int tt_item(TensorHandle t, out double value);
    [LibraryImport(Library)] internal static partial int tt_copy_to_host(TensorHandle t, void* data, long bytes);

    [LibraryImport(Library)] internal static partial int tt_set_requires_grad(TensorHandle t, int on);
    [LibraryImport(Library)] internal static partial int tt_requires_grad(TensorHandle t, out int on);
    [LibraryImport(Library)] internal static partial int tt_backward(TensorHandle t);
    [LibraryImport(Library)] internal static partial int tt_grad(TensorHandle t, out TensorHandle result);
    [LibraryImport(Library)] internal static partial int tt_detach(TensorHandle t, out TensorHandle result);

    [LibraryImport(Library)] internal static partial int tt_to(TensorHandle t, int dtype, int deviceType, int deviceIndex, out TensorHandle result);
    [LibraryImport(Library)] internal static partial int tt_contiguous(TensorHandle t, out TensorHandle result);
    [LibraryImport(Library)] internal static partial int tt_channels_last(TensorHandle t, out TensorHandle result);
    [LibraryImport(Library)] internal static partial int tt_set_data(TensorHandle t, TensorHandle data);
    [LibraryImport(Library)] internal static partial int tt_flatten(TensorHandle t, long startDim, long endDim, out TensorHandle result);
    [LibraryImport(Library)] internal static partial int tt_narrow(TensorHandle t, long dim, long start, long length, out TensorHandle result);
    [LibraryImport(Library)] internal static partial int tt_index_select(TensorHandle t, long dim, TensorHandle index, out TensorHandle result);

    [LibraryImport(Library)] internal static partial int tt_crop(TensorHandle images, TensorHandle rows, TensorHandle columns, out TensorHandle result);

    [LibraryImport(Library)] internal static partial int tt_copy_(TensorHandle t, TensorHandle source);
    [LibraryImport(Library)] internal static partial int tt_normal_(TensorHandle t, double mean, double std);
    [LibraryImport(Library)] internal static partial int tt_uniform_(TensorHandle t, double from, double to);
    [LibraryImport(Library)] internal static partial int tt_add_(TensorHandle t, TensorHandle other);
    [LibraryImport(Library)] internal static partial int tt_sub_scalar_(TensorHandle t, double value);
    [LibraryImport(Library)] internal static partial int tt_div_scalar_(TensorHandle t, double value);
    [LibraryImport(Library)] internal static partial int tt_mul(TensorHandle t, TensorHandle other, out TensorHandle result);
    [LibraryImport(Library)] internal static partial int tt_mul_scalar(TensorHandle t, double value, out TensorHandle result);
    [LibraryImport(Library)] internal static partial int tt_eq(TensorHandle t, TensorHandle other, out TensorHandle result);
    [LibraryImport(Library)] internal static partial int tt_sum(TensorHandle t, out TensorHandle result);
    [LibraryImport(Library)] internal static partial int tt_argmax(TensorHandle t, long dim, int keepdim, out TensorHandle result);

    [LibraryImport(Library)] internal static partial int tt_conv2d(TensorHandle input, TensorHandle weight, TensorHandle bias, long stride, long padding, long dilation, long groups, out TensorHandle result);
    [LibraryImport(Library)] internal static partial int tt_linear(TensorHandle input, TensorHandle weight, TensorHandle bias, out TensorHandle result);
    [LibraryImport(Library)] internal static partial int tt_relu(TensorHandle input, out TensorHandle result);
    [LibraryImport(Library)] internal static partial int tt_max_pool2d(TensorHandle input, long kernelSize, long stride, long padding, long dilation, int ceilMode, out TensorHandle result);
    [LibraryImport(Library)] internal static partial int tt_conv2d_relu_max_pool2d(TensorHandle input, TensorHandle weight, TensorHandle bias, out TensorHandle result);
    [LibraryImport(Library)] internal static partial int tt_batch_norm(TensorHandle input, TensorHandle weight, TensorHandle bias, TensorHandle runningMean, TensorHandle runningVar, TensorHandle residual, int training, double momentum, double eps, int relu, out TensorHandle result);
    [LibraryImport(Library)] internal static partial int tt_adaptive_avg_pool2d(TensorHandle input, long height, long width, out TensorHandle result);
    [LibraryImport(Library)] internal static partial int tt_pad(TensorHandle input, long* pad, long count, double value, out TensorHandle result);
    [LibraryImport(Library)] internal static partial nint tt_fused_kernels();
    [LibraryImport(Library)] internal static partial void tt_limit_vector_lanes(int lanes);
    [LibraryImport(Library)] internal static partial int tt_cross_entropy(TensorHandle logits, TensorHandle target, TensorHandle weight, long reduction, long ignoreIndex, double labelSmoothing, out TensorHandle result);

    [LibraryImport(Library)] internal static partial int tt_zero_grad(nint* parameters, int count);
    [LibraryImport(Library)] internal static partial int tt_clip_grad_norm(nint* parameters, int count, double maxNorm);
    [LibraryImport(Library)] internal static partial int tt_adam_step(nint* parameters, nint* expAvg, nint* expAvgSq, int count, long step, double lr, double beta1, double beta2, double eps, double weightDecay);
    [LibraryImport(Library)] internal static partial int tt_sgd_step(nint* parameters, nint* momentumBuffer, int count, double lr, double momentum, double weightDecay, int nesterov);
}
