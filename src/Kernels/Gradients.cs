using System.Runtime.ExceptionServices;

namespace Temper.Kernels;

public static class Gradients
{
    /// <summary>Computes the gradients of a loss with respect to every parameter that it depends on: loss.backward().</summary>
    /// <param name="loss">One element.</param>
    /// <remarks>With our operations in the graph this is to be called instead: what failed in them is thrown here.</remarks>
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
            // Before libtorch's own exception, which may be what followed from it.
            if (BackwardPass.Failure is { } failure)
                ExceptionDispatchInfo.Throw(failure);
        }
    }
}
