using Temper.Torch.Modules;

namespace Temper.Torch
{
    public static partial class torch
    {
        public static partial class optim
        {
            public static SGD SGD(IEnumerable<Parameter> parameters, double learningRate, double momentum = 0, double dampening = 0, double weight_decay = 0, bool nesterov = false) =>
                dampening == 0 ? new(parameters, learningRate, momentum, weight_decay, nesterov) : throw new NotImplementedException("dampening is not bound.");
        }
    }
}

namespace Temper.Torch.Modules
{
    /// <summary>Stochastic gradient descent with momentum, in PyTorch's arrangement: v = μ·v + g, step by v, or by g + μ·v (Nesterov).</summary>
    public sealed unsafe class SGD : OptimizerHelper
    {
        private readonly double momentum, weightDecay;
        private readonly bool nesterov;
        private readonly torch.Tensor[] buffers;
        private readonly nint[] bufferHandles;

        internal SGD(IEnumerable<Parameter> parameters, double learningRate, double momentum, double weight_decay, bool nesterov) : base(parameters, learningRate)
        {
            (this.momentum, weightDecay, this.nesterov) = (momentum, weight_decay, nesterov);
            buffers = StateLikeParameters();
            bufferHandles = RawHandles(buffers);
        }

        public override torch.Tensor? step(Func<torch.Tensor>? closure = null)
        {
            var loss = closure?.Invoke();
            CheckAlive();
            fixed (nint* p = ParameterHandles, b = bufferHandles)
                Native.Check(Native.tt_sgd_step(p, b, ParameterHandles.Length, LearningRate, momentum, weightDecay, nesterov ? 1 : 0));
            GC.KeepAlive(this);
            return loss;
        }

        private protected override IEnumerable<torch.Tensor> State => buffers;

        protected override void Dispose(bool disposing)
        {
            foreach (var buffer in buffers) buffer.Dispose();
        }
    }
}
