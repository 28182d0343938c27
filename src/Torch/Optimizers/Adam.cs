using Temper.Torch.Modules;

namespace Temper.Torch
{
    public static partial class torch
    {
        public static partial class optim
        {
            public static Adam Adam(IEnumerable<Parameter> parameters, double lr = 1e-3, double beta1 = 0.9, double beta2 = 0.999, double eps = 1e-8, double weight_decay = 0) =>
                new(parameters, lr, beta1, beta2, eps, weight_decay);
        }
    }
}

namespace Temper.Torch.Modules
{
    /// <summary>Kingma and Ba 2015, arXiv:1412.6980.</summary>
    public sealed unsafe class Adam : OptimizerHelper
    {
        private readonly double beta1, beta2, eps, weightDecay;
        private readonly torch.Tensor[] means, squares;
        private readonly nint[] meanHandles, squareHandles;

        internal Adam(IEnumerable<Parameter> parameters, double lr, double beta1, double beta2, double eps, double weight_decay) : base(parameters, lr)
        {
            (this.beta1, this.beta2, this.eps, weightDecay) = (beta1, beta2, eps, weight_decay);
            (means, squares) = (StateLikeParameters(), StateLikeParameters());
            (meanHandles, squareHandles) = (RawHandles(means), RawHandles(squares));
        }

        public override torch.Tensor? step(Func<torch.Tensor>? closure = null)
        {
            var loss = closure?.Invoke();
            CheckAlive();
            fixed (nint* p = ParameterHandles, m = meanHandles, s = squareHandles)
                Native.Check(Native.tt_adam_step(p, m, s, ParameterHandles.Length, ++StepCount, LearningRate, beta1, beta2, eps, weightDecay));
            GC.KeepAlive(this);
            return loss;
        }

        private protected override IEnumerable<torch.Tensor> State => means.Concat(squares);

        protected override void Dispose(bool disposing)
        {
            foreach (var state in State) state.Dispose();
        }
    }
}
