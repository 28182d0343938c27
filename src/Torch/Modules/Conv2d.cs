using Temper.Torch.Modules;

namespace Temper.Torch
{
    /// <summary>What lies beyond a border: for a convolution only zeros are bound, for padding only a constant.</summary>
    public enum PaddingModes { Zeros = 0, Constant = 4 }

    public static partial class torch
    {
        public static partial class nn
        {
            public static Conv2d Conv2d(long in_channels, long out_channels, long kernel_size, long stride = 1, long padding = 0, long dilation = 1, PaddingModes padding_mode = PaddingModes.Zeros, long groups = 1, bool bias = true) =>
                padding_mode != PaddingModes.Zeros ? throw new NotImplementedException("Only zeros are bound.") : new(in_channels, out_channels, kernel_size, stride, padding, dilation, groups, bias);
        }
    }
}

namespace Temper.Torch.Modules
{
    /// <summary>2-D convolution over N×C×H×W; weight is out×(in/groups)×k×k.</summary>
    public sealed class Conv2d : torch.nn.Module<torch.Tensor, torch.Tensor>
    {
        private readonly long stride, padding, dilation, groups;

        internal Conv2d(long in_channels, long out_channels, long kernel_size, long stride, long padding, long dilation, long groups, bool bias) : base(nameof(Conv2d))
        {
            (this.stride, this.padding, this.dilation, this.groups) = (stride, padding, dilation, groups);
            KeepsSizeBy3x3 = (kernel_size, stride, padding, dilation, groups) == (3, 1, 1, 1, 1);
            var fanIn = in_channels / groups * kernel_size * kernel_size;
            weight = DefaultInit.Weight([out_channels, in_channels / groups, kernel_size, kernel_size], fanIn);
            register_parameter("weight", weight);
            if (!bias) return;
            this.bias = DefaultInit.Bias(out_channels, fanIn);
            register_parameter("bias", this.bias);
        }

        /// <summary>Whether it is what the fused block computes: 3×3, stride 1, padding 1.</summary>
        internal bool KeepsSizeBy3x3 { get; }

        public Parameter weight { get; }
        public Parameter? bias { get; }

        public override torch.Tensor forward(torch.Tensor input)
        {
            Native.Check(Native.tt_conv2d(input.Handle, weight.Handle, bias?.Handle ?? TensorHandle.Null, stride, padding, dilation, groups, out var result));
            return new(result);
        }
    }
}
