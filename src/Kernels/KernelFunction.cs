namespace Temper.Kernels;

/// <summary>
/// A differentiable operation of ours. Its backward pass throws nothing, because an exception that crosses libtorch's autograd
/// engine ends the process. It stores the exception instead, and <see cref="Gradients.Compute"/> throws it.
/// </summary>
/// <remarks>
/// The backward pass adds the gradient of a <see cref="Parameter"/> to its grad directly, without autograd. So autograd does not
/// call hooks on a parameter, torch.autograd.grad gives nothing for one, and a gradient of a gradient throws.
/// </remarks>
/// <typeparam name="T">The operation itself.</typeparam>
internal abstract class KernelFunction<T> : autograd.SingleTensorFunction<T>
    where T : KernelFunction<T>, new()
{
    private const string Arguments = "arguments";

    public sealed override string Name => typeof(T).Name;

    public sealed override Tensor forward(autograd.AutogradContext context, params object[] vars)
    {
        context.save_data(Arguments, vars);
        context.set_materialize_grads(false); // materializing would allocate outside our try block
        return Forward(context, vars);
    }

    public sealed override List<Tensor> backward(autograd.AutogradContext context, Tensor grad_output)
    {
        var arguments = (object[])context.get_data(Arguments)!;
        try
        {
            BackwardPass.ReleaseLastGradients();
            // After a failure the other operations compute nothing, because the failed one gave no gradients.
            if (BackwardPass.Failure is not null || grad_output.IsInvalid)
                return NoGradients();
            if (torch.is_grad_enabled())
                throw new NotSupportedException($"{Name} has no gradient of its gradient: create_graph is not supported.");
            using var scope = torch.NewDisposeScope();
            var gradients = Backward(context, context.get_saved_variables(), grad_output);
            for (var i = 0; i < gradients.Length; i++)
            {
                if (gradients[i] is not { } gradient)
                    continue;
                // Autograd would copy a parameter's gradient, because we hold a reference to it; so add it directly.
                if (arguments[i] is Parameter parameter)
                {
                    Accumulate(parameter, gradient);
                    gradients[i] = null;
                }
                else
                {
                    gradient.DetachFromDisposeScope();
                }
            }
            // libtorch takes its own references when this returns; the next operation releases ours.
            BackwardPass.LastGradients = gradients;
            return [.. gradients.Select(gradient => gradient!)];
        }
        catch (Exception e)
        {
            BackwardPass.Failure ??= e;
            return NoGradients();
        }
        finally
        {
            grad_output.Dispose();
        }

        List<Tensor> NoGradients() => [.. new Tensor[arguments.Length]];
    }

    protected abstract Tensor Forward(autograd.AutogradContext context, object[] arguments);

    /// <returns>The gradient of each argument of the forward pass; null for an argument without one.</returns>
    protected abstract Tensor?[] Backward(autograd.AutogradContext context, List<Tensor> saved, Tensor gradient);

    private static void Accumulate(Parameter parameter, Tensor gradient)
    {
        if (!parameter.requires_grad)
            return;
        using var noGraph = torch.no_grad();
        if (parameter.grad is { } earlier)
            earlier.add_(gradient);
        else
            parameter.grad = gradient;
    }
}

/// <summary>
/// State of the backward passes, per thread: on the CPU autograd runs them on the thread that asks for the gradients.
/// </summary>
internal static class BackwardPass
{
    /// <summary>The first exception of a backward pass since <see cref="Gradients.Compute"/> began.</summary>
    [ThreadStatic]
    public static Exception? Failure;

    /// <summary>
    /// The last backward pass's gradients. The next pass frees them; a step's dispose scope would keep all until the step ends.
    /// </summary>
    [ThreadStatic]
    public static Tensor?[]? LastGradients;

    public static void ReleaseLastGradients()
    {
        foreach (var gradient in LastGradients ?? [])
            gradient?.Dispose();
        LastGradients = null;
    }
}
