namespace Temper.Torch;

/// <summary>Owns the tensors that its thread creates while it is the innermost scope. Obtained from torch.NewDisposeScope().</summary>
public sealed class DisposeScope : IDisposable
{
    [ThreadStatic] private static DisposeScope? innermost;

    private readonly DisposeScope? outer;
    private readonly HashSet<torch.Tensor> tensors = new(ReferenceEqualityComparer.Instance);

    internal DisposeScope()
    {
        outer = innermost;
        innermost = this;
    }

    internal static DisposeScope? Register(torch.Tensor tensor)
    {
        innermost?.tensors.Add(tensor);
        return innermost;
    }

    internal void Forget(torch.Tensor tensor) => tensors.Remove(tensor);

    internal DisposeScope? MoveOut(torch.Tensor tensor)
    {
        tensors.Remove(tensor);
        outer?.tensors.Add(tensor);
        return outer;
    }

    public int DisposablesCount => tensors.Count;

    public void Dispose()
    {
        foreach (var tensor in tensors) tensor.DisposeWithScope();
        tensors.Clear();
        if (innermost == this) innermost = outer;
    }
}
