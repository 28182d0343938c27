namespace Temper.Torch;

public enum DeviceType { CPU = 0, CUDA = 1 }

/// <summary>TorchSharp's entry point by name and signature; what is bound is what Temper calls.</summary>
public static unsafe partial class torch
{
    public enum ScalarType : sbyte { Byte = 0, Int64 = 4, Float32 = 6, Float64 = 7, Bool = 11 }

    public const ScalarType uint8 = ScalarType.Byte;
    public const ScalarType int64 = ScalarType.Int64;
    public const ScalarType float32 = ScalarType.Float32;
    public const ScalarType float64 = ScalarType.Float64;

    public static readonly Device CPU = new(DeviceType.CPU);

    /// <summary>Where a tensor lives; index −1 is the current device of its type.</summary>
    public class Device(DeviceType deviceType, int index = -1)
    {
        public DeviceType type { get; } = deviceType;
        public int index { get; } = index;

        public override string ToString() => type == DeviceType.CPU ? "cpu" : index < 0 ? "cuda" : $"cuda:{index}";
    }

    public static Tensor empty(ReadOnlySpan<long> size, ScalarType? dtype = null, Device? device = null)
    {
        device ??= CPU;
        fixed (long* sizes = size)
        {
            Native.Check(Native.tt_empty(sizes, size.Length, (int)(dtype ?? float32), (int)device.type, device.index, out var result));
            return new(result);
        }
    }

    public static Tensor zeros(ReadOnlySpan<long> size, ScalarType? dtype = null, Device? device = null)
    {
        device ??= CPU;
        fixed (long* sizes = size)
        {
            Native.Check(Native.tt_zeros(sizes, size.Length, (int)(dtype ?? float32), (int)device.type, device.index, out var result));
            return new(result);
        }
    }

    /// <summary>A copy of the array's values, so the array may change or go.</summary>
    public static Tensor tensor(float[] rawArray, ReadOnlySpan<long> dimensions) => FromArray(rawArray, float32, dimensions);

    /// <inheritdoc cref="tensor(float[], ReadOnlySpan{long})"/>
    public static Tensor tensor(double[] rawArray, ReadOnlySpan<long> dimensions) => FromArray(rawArray, float64, dimensions);

    /// <inheritdoc cref="tensor(float[], ReadOnlySpan{long})"/>
    public static Tensor tensor(long[] dataArray, ReadOnlySpan<long> dimensions) => FromArray(dataArray, int64, dimensions);

    /// <inheritdoc cref="tensor(float[], ReadOnlySpan{long})"/>
    public static Tensor tensor(byte[] rawArray, ReadOnlySpan<long> dimensions) => FromArray(rawArray, uint8, dimensions);

    private static Tensor FromArray<T>(T[] values, ScalarType dtype, ReadOnlySpan<long> dimensions) where T : unmanaged
    {
        var count = 1L;
        foreach (var dimension in dimensions) count *= dimension;
        if (count != values.LongLength) throw new ArgumentException($"{values.LongLength} values do not fill {count}.", nameof(dimensions));
        fixed (T* data = values)
        fixed (long* sizes = dimensions)
        {
            Native.Check(Native.tt_from_data(data, (int)dtype, sizes, dimensions.Length, out var result));
            return new(result);
        }
    }

    /// <summary>Seeds the generators of all devices.</summary>
    public static void manual_seed(long seed) => Native.Check(Native.tt_manual_seed(seed));

    /// <summary>CPU threads one operation may use. Call it before the first operation.</summary>
    public static void set_num_threads(int num) => Native.Check(Native.tt_set_num_threads(num));

    public static int get_num_threads() => Native.tt_get_num_threads();

    /// <summary>Tensors created on this thread from here on are disposed with the scope, unless moved or detached.</summary>
    public static DisposeScope NewDisposeScope() => new();

    /// <summary>Until disposed, operations on this thread record no graph.</summary>
    public static IDisposable no_grad() => new NoGrad();

    private sealed class NoGrad : IDisposable
    {
        private readonly int before = Native.tt_grad_enabled();
        internal NoGrad() => Native.tt_set_grad_enabled(0);
        public void Dispose() => Native.tt_set_grad_enabled(before);
    }

    public static class cuda
    {
        public static bool is_available() => Native.tt_cuda_is_available() != 0;
        public static int device_count() => Native.tt_cuda_device_count();
    }
}
