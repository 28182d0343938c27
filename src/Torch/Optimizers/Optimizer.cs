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
            private readonly List<TensorHandle> handles = [];

            private protected Optimizer(IEnumerable<Parameter> parameters, double learningRate)
            {
                parametersInOrder = [.. parameters];
                // Raw handles, so that a step is one native call; CheckAlive tells when an owner was disposed.
                ParameterHandles = RawHandles(parametersInOrder);
                LearningRate = InitialLearningRate = learningRate;
            }

            private protected nint[] ParameterHandles { get; }

            public double LearningRate { get; set; }
            public double InitialLearningRate { get; set; }

            public virtual IEnumerable<ILearningRateController> ParamGroups => [this];

            public virtual void zero_grad()
            {
                CheckAlive();
                fixed (nint* parameters = ParameterHandles) Native.Check(Native.tt_zero_grad(parameters, ParameterHandles.Length));
            }

            internal void ClipGradients(double largestNorm)
            {
                CheckAlive();
                fixed (nint* parameters = ParameterHandles) Native.Check(Native.tt_clip_grad_norm(parameters, ParameterHandles.Length, largestNorm));
            }

            public abstract Tensor? step(Func<Tensor>? closure = null);

            /// <summary>A zero tensor like each parameter, in the same layout and on the same device.</summary>
            private protected Tensor[] StateLikeParameters() => [.. parametersInOrder.Select(ZerosLike)];

            private protected nint[] RawHandles(IReadOnlyCollection<Tensor> tensors)
            {
                handles.AddRange(tensors.Select(tensor => tensor.Handle));
                return [.. tensors.Select(tensor => tensor.Handle.DangerousGetHandle())];
            }

            /// <summary>Before each use of the raw handles: a model may have been disposed before its optimizer.</summary>
            /// <exception cref="ObjectDisposedException">A parameter or the optimizer's state is gone.</exception>
            private protected void CheckAlive()
            {
                foreach (var handle in handles) ObjectDisposedException.ThrowIf(handle.IsClosed, this);
            }

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
