using Temper.Torch.Modules;

namespace Temper.Torch
{
    public static partial class torch
    {
        public static partial class nn
        {
            public static BatchNorm2d BatchNorm2d(long features, double eps = 1e-5, double momentum = 0.1, bool affine = true, bool track_running_stats = true) =>
                affine && track_running_stats ? new(features, eps, momentum) : throw new NotImplementedException("Only affine normalization with running statistics is bound.");
        }
    }
}

namespace Temper.Torch.Modules
{
    /// <summary>Normalizes each channel of N×C×H×W by the batch's mean and variance in training, by their running averages in inference.</summary>
    /// <remarks>Ioffe and Szegedy 2015, arXiv:1502.03167; PyTorch's conventions: the running variance is the unbiased one.</remarks>
    public sealed class BatchNorm2d : torch.nn.Module<torch.Tensor, torch.Tensor>
    {
        private readonly double eps, momentum;

        internal BatchNorm2d(long features, double eps, double momentum) : base(nameof(BatchNorm2d))
        {
            (this.eps, this.momentum) = (eps, momentum);
            weight = new(Filled(features, 1));
            bias = new(Filled(features, 0));
            (running_mean, running_var) = (Filled(features, 0), Filled(features, 1));
            register_parameter("weight", weight);
            register_parameter("bias", bias);
            register_buffer("running_mean", running_mean);
            register_buffer("running_var", running_var);
        }

        public Parameter weight { get; }
        public Parameter bias { get; }
        public torch.Tensor running_mean { get; }
        public torch.Tensor running_var { get; }

        public override torch.Tensor forward(torch.Tensor input) => Forward(input, residual: null, relu: false);

        /// <summary>What commonly follows in the same pass: a residual added, then relu.</summary>
        internal torch.Tensor Forward(torch.Tensor input, torch.Tensor? residual, bool relu)
        {
            Native.Check(Native.tt_batch_norm(
                input.Handle, weight.Handle, bias.Handle, running_mean.Handle, running_var.Handle, residual?.Handle ?? TensorHandle.Null, training ? 1 : 0, momentum, eps, relu ? 1 : 0, out var result));
            return new(result);
        }

        private static torch.Tensor Filled(long features, float value) => torch.tensor([.. Enumerable.Repeat(value, (int)features)], [features]);
    }
}
