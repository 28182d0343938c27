using static Temper.Kernels.NativeKernels;

namespace Temper.Kernels;

/// <summary>Adam in PyTorch's form: it adds weight decay to the gradient, and ε to the bias-corrected denominator.</summary>
/// <remarks>Kingma and Ba 2015, arXiv:1412.6980, algorithm 1. The bias correction counts the optimizer's steps, also for a
/// parameter that had no gradient in some of them.</remarks>
public sealed unsafe class FusedAdam(
    IEnumerable<Parameter> parameters,
    double learningRate = 1e-3,
    double beta1 = 0.9,
    double beta2 = 0.999,
    double eps = 1e-8,
    double weightDecay = 0
) : FusedOptimizer(parameters, learningRate, kinds: 2)
{
    private protected override int StepByKernel(int count, nint* weights, nint* gradients, nint* first, nint* second, long* sizes) =>
        tk_adam_step(count, weights, gradients, first, second, sizes, Steps, LearningRate, beta1, beta2, eps, weightDecay);

    private protected override void StepByLibtorch(Tensor weight, Tensor gradient, Tensor[] states)
    {
        var (mean, square) = (states[0], states[1]);
        double correction1 = 1 - Math.Pow(beta1, Steps),
            correction2 = 1 - Math.Pow(beta2, Steps);
        if (weightDecay != 0)
            gradient = gradient.add(weight, alpha: weightDecay);
        mean.mul_(beta1).add_(gradient, alpha: 1 - beta1);
        square.mul_(beta2).addcmul_(gradient, gradient, 1 - beta2);
        var denominator = square.sqrt().div_(Math.Sqrt(correction2)).add_(eps);
        weight.addcdiv_(mean, denominator, -LearningRate / correction1);
    }
}
