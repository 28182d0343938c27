using static Temper.Torch.Native;

namespace Temper.Torch;

public static unsafe partial class torch
{
    /// <summary>One reference to a libtorch tensor, with TorchSharp's member names.</summary>
    public class Tensor : IDisposable
    {
        private DisposeScope? scope;

        internal Tensor(TensorHandle handle)
        {
            Handle = handle;
            scope = DisposeScope.Register(this);
        }

        internal TensorHandle Handle { get; }

        public void Dispose()
        {
            scope?.Forget(this);
            DisposeWithScope();
        }

        internal void DisposeWithScope()
        {
            scope = null;
            Handle.Dispose();
        }

        public Tensor MoveToOuterDisposeScope()
        {
            scope = scope?.MoveOut(this);
            return this;
        }

        public Tensor DetachFromDisposeScope()
        {
            scope?.Forget(this);
            scope = null;
            return this;
        }

        public long[] shape
        {
            get
            {
                var sizes = new long[tt_dim(Handle)];
                fixed (long* s = sizes) Check(tt_sizes(Handle, s));
                return sizes;
            }
        }

        public long NumberOfElements => tt_numel(Handle);
        public ScalarType dtype => (ScalarType)tt_dtype(Handle);

        public Device device
        {
            get
            {
                Check(tt_device(Handle, out var type, out var index));
                return new((DeviceType)type, index);
            }
        }

        /// <summary>Reads the elements in row-major order.</summary>
        public TensorAccessor<T> data<T>() where T : unmanaged => new(this);

        /// <summary>The one element. On a GPU this waits for everything queued before it.</summary>
        internal double Item()
        {
            Check(tt_item(Handle, out var value));
            return value;
        }

        public bool requires_grad
        {
            get
            {
                Check(tt_requires_grad(Handle, out var on));
                return on != 0;
            }
        }

        public Tensor requires_grad_(bool requires_grad = true)
        {
            Check(tt_set_requires_grad(Handle, requires_grad ? 1 : 0));
            return this;
        }

        /// <summary>Null before the first backward pass and after zero_grad.</summary>
        public Tensor? grad
        {
            get
            {
                Check(tt_grad(Handle, out var result));
                return result.IsInvalid ? null : new(result);
            }
        }

        public void backward() => Check(tt_backward(Handle));

        public Tensor detach() => Of(tt_detach(Handle, out var result), result);
        public Tensor to(Device device) => Of(tt_to(Handle, -1, (int)device.type, device.index, out var result), result);
        public Tensor to_type(ScalarType type) => Of(tt_to(Handle, (int)type, -1, -1, out var result), result);
        public Tensor cpu() => to(CPU);
        public Tensor contiguous() => Of(tt_contiguous(Handle, out var result), result);
        public Tensor flatten(long start_dim = 0, long end_dim = -1) => Of(tt_flatten(Handle, start_dim, end_dim, out var result), result);
        public Tensor narrow(long dim, long start, long length) => Of(tt_narrow(Handle, dim, start, length, out var result), result);
        public Tensor index_select(long dim, Tensor index) => Of(tt_index_select(Handle, dim, index.Handle, out var result), result);

        public Tensor eq(Tensor target) => Of(tt_eq(Handle, target.Handle, out var result), result);
        public Tensor sum() => Of(tt_sum(Handle, out var result), result);
        public Tensor argmax(long dim, bool keepdim = false) => Of(tt_argmax(Handle, dim, keepdim ? 1 : 0, out var result), result);

        public static Tensor operator *(Tensor left, Tensor right) => Of(tt_mul(left.Handle, right.Handle, out var result), result);
        public static Tensor operator *(Tensor left, double right) => Of(tt_mul_scalar(left.Handle, right, out var result), result);

        public Tensor copy_(Tensor source) => InPlace(tt_copy_(Handle, source.Handle));
        public Tensor add_(Tensor target) => InPlace(tt_add_(Handle, target.Handle));
        public Tensor sub_(double target) => InPlace(tt_sub_scalar_(Handle, target));
        public Tensor div_(double target) => InPlace(tt_div_scalar_(Handle, target));
        public Tensor normal_(double mean = 0, double stddev = 1) => InPlace(tt_normal_(Handle, mean, stddev));
        public Tensor uniform_(double from, double to) => InPlace(tt_uniform_(Handle, from, to));

        private Tensor InPlace(int status)
        {
            Check(status);
            return this;
        }

        private static Tensor Of(int status, TensorHandle result)
        {
            Check(status);
            return new(result);
        }
    }
}

/// <summary>Reads a tensor's elements as <typeparamref name="T"/>, which must be its dtype.</summary>
public readonly struct TensorAccessor<T>(torch.Tensor tensor) where T : unmanaged
{
    /// <exception cref="TorchException">The element sizes differ.</exception>
    public unsafe T[] ToArray()
    {
        var values = new T[tensor.NumberOfElements];
        fixed (T* data = values) Check(tt_copy_to_host(tensor.Handle, data, values.LongLength * sizeof(T)));
        return values;
    }
}

public static class TensorExtensionMethods
{
    public static double ToDouble(this torch.Tensor value) => value.Item();
}
