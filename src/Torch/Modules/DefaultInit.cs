namespace Temper.Torch.Modules;

/// <summary>PyTorch's default initialization of convolution and linear layers: both uniform within ±1/√fan_in.</summary>
/// <remarks>For the weight PyTorch writes it as kaiming_uniform_(a = √5), whose bound √(6 / ((1 + a²)·fan_in)) is the same.</remarks>
internal static class DefaultInit
{
    internal static Parameter Weight(ReadOnlySpan<long> size, long fanIn) => Uniform(size, fanIn);

    internal static Parameter Bias(long size, long fanIn) => Uniform([size], fanIn);

    private static Parameter Uniform(ReadOnlySpan<long> size, long fanIn)
    {
        var bound = 1 / Math.Sqrt(fanIn);
        return new(torch.empty(size).uniform_(-bound, bound));
    }
}
