namespace Temper.Torch.Modules;

/// <summary>A tensor that an optimizer trains.</summary>
public sealed class Parameter : torch.Tensor
{
    public Parameter(torch.Tensor data, bool requires_grad = true) : base(Detached(data)) => requires_grad_(requires_grad);

    private static TensorHandle Detached(torch.Tensor data)
    {
        Native.Check(Native.tt_detach(data.Handle, out var result));
        data.Dispose();
        return result;
    }
}
