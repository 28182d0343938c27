namespace Temper.Torch;

public static partial class torch
{
    public static partial class nn
    {
        public enum Reduction { None = 0, Mean = 1, Sum = 2 }

        public static class functional
        {
            public static Tensor relu(Tensor x, bool inplace = false)
            {
                if (inplace) throw new NotImplementedException("relu in place is not bound.");
                Native.Check(Native.tt_relu(x.Handle, out var result));
                return new(result);
            }

            public static Tensor max_pool2d(Tensor input, long kernel_size, long? stride = null, long? padding = null, long? dilation = null, bool ceil_mode = false)
            {
                Native.Check(Native.tt_max_pool2d(input.Handle, kernel_size, stride ?? kernel_size, padding ?? 0, dilation ?? 1, ceil_mode ? 1 : 0, out var result));
                return new(result);
            }

            public static Tensor adaptive_avg_pool2d(Tensor input, long output_size)
            {
                Native.Check(Native.tt_adaptive_avg_pool2d(input.Handle, output_size, output_size, out var result));
                return new(result);
            }

            /// <summary>Adds constant values around the input.</summary>
            /// <param name="pad">Before and after, from the last dimension on.</param>
            public static unsafe Tensor pad(Tensor input, long[] pad, PaddingModes mode = PaddingModes.Constant, double value = 0)
            {
                if (mode != PaddingModes.Constant) throw new NotImplementedException("Only constant padding is bound.");
                fixed (long* sizes = pad)
                {
                    Native.Check(Native.tt_pad(input.Handle, sizes, pad.Length, value, out var result));
                    return new(result);
                }
            }

            /// <summary>−Σ q·log_softmax(logits), q smoothed uniformly: (1−ε)·onehot + ε/K.</summary>
            /// <param name="input">Logits, N×K.</param>
            /// <param name="target">Class indices, N, int64.</param>
            /// <param name="label_smoothing">ε, 0 to 1.</param>
            public static Tensor cross_entropy(Tensor input, Tensor target, Tensor? weight = null, long ignore_index = -100, Reduction reduction = Reduction.Mean, double label_smoothing = 0.0)
            {
                Native.Check(Native.tt_cross_entropy(input.Handle, target.Handle, weight?.Handle ?? TensorHandle.Null, (long)reduction, ignore_index, label_smoothing, out var result));
                return new(result);
            }
        }
    }
}
