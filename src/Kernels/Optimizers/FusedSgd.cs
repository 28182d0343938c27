using static Temper.Kernels.NativeKernels;

namespace Temper.Kernels;

/// <summary>
/// Stochastic gradient descent with momentum, in PyTorch's form: b = μ·b + g, and a step along b, or along g + μ·b
/// (Nesterov).
/// </summary>
/// <remarks>b begins at zero, which equals PyTorch's b = g in the first step because there is no dampening.</remarks>
public sealed unsafe class FusedSgd(
    IEnumerable<Parameter> parameters,
    double learningRate,
    double momentum = 0,
    double weightDecay = 0,
    bool nesterov = false
) : FusedOptimizer(parameters, learningRate, kinds: 1)
{
    private protected override int StepByKernel(int count, nint* weights, nint* gradients, nint* first, nint* second, long* sizes) =>
        tk_sgd_step(count, weights, gradients, first, sizes, LearningRate, momentum, weightDecay, nesterov ? 1 : 0);

    private protected override void StepByLibtorch(Tensor weight, Tensor gradient, Tensor[] states)
    {
        var buffer = states[0];
        if (weightDecay != 0)
            gradient = gradient.add(weight, alpha: weightDecay);
        buffer.mul_(momentum).add_(gradient);
        weight.add_(nesterov ? gradient.add(buffer, alpha: momentum) : buffer, alpha: -LearningRate);
    }
}
