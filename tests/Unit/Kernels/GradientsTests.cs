namespace Temper.Unit.Kernels;

[Collection(AloneCollection.Name)]
public sealed class GradientsTests : KernelTest
{
    /// <summary>An exception that crossed libtorch's autograd engine would end this process.</summary>
    [Fact]
    public void Compute_OfAnOperationWhoseBackwardPassFails_ThrowsWhatItMet()
    {
        var leaf = torch.ones(2).requires_grad_();
        var loss = Failing.apply(leaf * 2.0).sum();

        var error = Assert.Throws<OutOfMemoryException>(() => Gradients.Compute(loss));

        Assert.Equal("for a test", error.Message);
        Gradients.Compute((leaf * 3.0).sum()); // the next computation works
        Assert.Equal([3f, 3], Read(leaf.grad));
    }

    /// <summary>The operation behind the failing one receives no gradient, and nothing may throw because of that.</summary>
    [Fact]
    public void Compute_OfOperationsBehindOneThatFails_ThrowsWhatItMetAndChangesNoGradient()
    {
        using var linear = Linear(4, 3);
        var rows = torch.ones(2, 4).requires_grad_();
        Tensor loss;
        using (var inner = NewDisposeScope())
            loss = Failing.apply(Fused.Linear(Fused.Linear(rows, Linear(4, 4)), linear)).sum().MoveToOuterDisposeScope();

        var error = Assert.Throws<OutOfMemoryException>(() => Gradients.Compute(loss));

        Assert.Equal("for a test", error.Message);
        Assert.Null(linear.weight.grad);
        Assert.Null(rows.grad);
    }

    [Fact]
    public void Compute_OfAGradientsGraph_IsRefused()
    {
        using var linear = Linear(4, 3);
        var loss = Fused.Linear(torch.ones(2, 4).requires_grad_(), linear).sum();

        loss.backward(create_graph: true);

        Assert.Null(linear.weight.grad);
    }

    /// <summary>The backward pass notices that a saved tensor was changed; it must not throw inside the engine either.</summary>
    [Fact]
    public void Compute_AfterASavedTensorWasChanged_Throws()
    {
        using var linear = Linear(4, 3);
        var rows = torch.ones(2, 4).requires_grad_();
        var loss = Fused.Linear(rows, linear).sum();
        using (no_grad())
            linear.weight.add_(1);

        var error = Assert.ThrowsAny<Exception>(() => Gradients.Compute(loss));

        Assert.Contains("modified by an inplace operation", error.Message);
    }

    [Fact]
    public void Compute_WithALayerUsedTwice_AddsItsGradients()
    {
        Results(Plain, out var expected);
        Results(Avx512, out var actual);

        AssertClose(expected, actual);

        static void Results(int lanes, out float[] gradients)
        {
            KernelLibrary.LimitLanes(lanes);
            using var conv = Conv2d(16, 16, 3, padding: 1, bias: false);
            using (no_grad())
                conv.weight.copy_(Values(Real, 1, conv.weight.shape));
            var images = ChannelsLast(Values(Real, 2, 2, 16, 6, 6));
            Gradients.Compute(Fused.Convolution(Fused.Convolution(images, conv), conv).square().sum());
            gradients = Read(conv.weight.grad);
        }
    }

    [Fact]
    public void Compute_Twice_AddsToTheGradients()
    {
        using var linear = Linear(4, 3);
        var rows = torch.ones(2, 4);
        Gradients.Compute(Fused.Linear(rows, linear).sum());
        Gradients.Compute(Fused.Linear(rows, linear).sum());

        Assert.All(Read(linear.weight.grad), value => Assert.Equal(4, value));
        Assert.All(Read(linear.bias!.grad), value => Assert.Equal(4, value));
    }

    [Fact]
    public void Compute_WithoutAGraph_Throws()
    {
        var error = Assert.ThrowsAny<Exception>(() => Gradients.Compute(torch.zeros(1)));

        Assert.Contains("does not require grad", error.Message);
    }

    private sealed class Failing : KernelFunction<Failing>
    {
        protected override Tensor Forward(autograd.AutogradContext context, object[] arguments) => ((Tensor)arguments[0]).clone();

        protected override Tensor?[] Backward(autograd.AutogradContext context, List<Tensor> saved, Tensor gradient) =>
            throw new OutOfMemoryException("for a test");
    }
}
