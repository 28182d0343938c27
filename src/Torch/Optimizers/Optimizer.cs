using Temper.Torch.Modules;

namespace Temper.Torch;

public static unsafe partial class torch
{
    public static partial class optim
    {
        public abstract class Optimizer : IDisposable, Optimizer.ILearningRateController
        {
            public interface ILearningRateController
            {
                double LearningRate { get; set; }
                double InitialLearningRate { get; set; }
            }

            private readonly Parameter[] parametersInOrder;

            private protected Optimizer(IEnumerable<Parameter> parameters, double learningRate)
            {
                parametersInOrder = [.. parameters];
                // Raw handles, so that a step is one native call; parametersInOrder keeps their owners alive.
                ParameterHandles = RawHandles(parametersInOrder);
                LearningRate = InitialLearningRate = learningRate;
            }

            private protected nint[] ParameterHandles { get; }

            public double LearningRate { get; set; }
            public double InitialLearningRate { get; set; }

            public virtual IEnumerable<ILearningRateController> ParamGroups => [this];

            public virtual void zero_grad()
            {
                fixed (nint* parameters = ParameterHandles) Native.Check(Native.tt_zero_grad(parameters, ParameterHandles.Length));
            }

            public abstract Tensor? step(Func<Tensor>? closure = null);

            /// <summary>A zero tensor like each parameter, in the same layout and on the same device.</summary>
            private protected Tensor[] StateLikeParameters() => [.. parametersInOrder.Select(ZerosLike)];

            private protected static nint[] RawHandles(IEnumerable<Tensor> tensors) => [.. tensors.Select(t => t.Handle.DangerousGetHandle())];

            private static Tensor ZerosLike(Parameter parameter)
            {
                using var plain = parameter.detach();
                Native.Check(Native.tt_zeros_like(plain.Handle, out var zeros));
                return new Tensor(zeros).DetachFromDisposeScope();
            }

            public void Dispose()
            {
                Dispose(true);
                GC.SuppressFinalize(this);
            }

            protected abstract void Dispose(bool disposing);
        }
    }
}
