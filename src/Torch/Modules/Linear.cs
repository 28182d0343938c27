using Temper.Torch.Modules;

namespace Temper.Torch
{
    public static partial class torch
    {
        public static partial class nn
        {
            public static Linear Linear(long inputSize, long outputSize, bool hasBias = true) => new(inputSize, outputSize, hasBias);
        }
    }
}

namespace Temper.Torch.Modules
{
    /// <summary>x·Wᵀ + b; weight is outputSize×inputSize.</summary>
    public sealed class Linear : torch.nn.Module<torch.Tensor, torch.Tensor>
    {
        internal Linear(long inputSize, long outputSize, bool hasBias) : base(nameof(Linear))
        {
            weight = DefaultInit.Weight([outputSize, inputSize], inputSize);
            register_parameter("weight", weight);
            if (!hasBias) return;
            bias = DefaultInit.Bias(outputSize, inputSize);
            register_parameter("bias", bias);
        }

        public Parameter weight { get; }
        public Parameter? bias { get; }

        public override torch.Tensor forward(torch.Tensor input)
        {
            Native.Check(Native.tt_linear(input.Handle, weight.Handle, bias?.Handle ?? TensorHandle.Null, out var result));
            return new(result);
        }
    }
}
