using System.Runtime.ExceptionServices;

namespace Temper.Kernels;

public static class Gradients
{
    /// <summary>Computes the gradients of a loss with respect to every parameter that it depends on: loss.backward().</summary>
    /// <param name="loss">A tensor with one element.</param>
    /// <remarks>
    /// Call it instead of backward() if the graph has our operations: it throws the exceptions of their backward passes.
    /// </remarks>
    public static void Compute(Tensor loss)
    {
        BackwardPass.Failure = null;
        try
        {
            loss.backward();
        }
        finally
        {
            BackwardPass.ReleaseLastGradients();
            // Throw this instead of libtorch's own exception, which may be a consequence of it.
            if (BackwardPass.Failure is { } failure)
                ExceptionDispatchInfo.Throw(failure);
        }
    }
}
