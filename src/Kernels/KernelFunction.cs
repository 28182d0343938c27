namespace Temper.Kernels;

/// <summary>
/// A differentiable operation of ours. Its backward pass throws nothing, because an exception that crosses libtorch's autograd
/// engine ends the process: what goes wrong there is kept, and <see cref="Gradients.Compute"/> throws it.
/// </summary>
/// <remarks>
/// The gradient of a <see cref="Parameter"/> is added to its grad directly and does not pass through autograd. So hooks on a parameter are
/// not called, torch.autograd.grad gives nothing for one, and a gradient of a gradient is refused.
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
        context.set_materialize_grads(false); // it would allocate, outside our try
        return Forward(context, vars);
    }

    public sealed override List<Tensor> backward(autograd.AutogradContext context, Tensor grad_output)
    {
        var arguments = (object[])context.get_data(Arguments)!;
        try
        {
            BackwardPass.ReleaseLastGradients();
            // After a failure the rest of the pass computes nothing; the failed operation gave no gradients.
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
                // Through autograd libtorch would copy a parameter's gradient, because we hold a reference to it.
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
            // libtorch takes references of its own when this returns, so ours are released before the next operation.
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

    /// <returns>For each argument of the forward pass its gradient; null for those that have none.</returns>
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

/// <summary>What backward passes leave behind. On the CPU autograd runs them on the thread that asks for the gradients.</summary>
internal static class BackwardPass
{
    /// <summary>The first exception that a backward pass met since <see cref="Gradients.Compute"/> began.</summary>
    [ThreadStatic]
    public static Exception? Failure;

    /// <summary>What the last backward pass returned. In the step's dispose scope they would all stay until the step ends.</summary>
    [ThreadStatic]
    public static Tensor?[]? LastGradients;

    public static void ReleaseLastGradients()
    {
        foreach (var gradient in LastGradients ?? [])
            gradient?.Dispose();
        LastGradients = null;
    }
}
