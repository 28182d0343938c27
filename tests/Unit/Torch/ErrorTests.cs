namespace Temper.Unit.Torch;

[Collection(AloneCollection.Name)]
public class ErrorTests
{
    [Fact]
    public void Linear_ShapesThatDoNotFit_ThrowsLibtorchsMessage()
    {
        using var scope = NewDisposeScope();
        using var layer = Linear(5, 4);

        var error = Assert.Throws<TorchException>(() => layer.forward(torch.zeros([2, 3])));

        Assert.Contains("shapes cannot be multiplied (2x3 and 5x4)", error.Message);
    }

    [Fact]
    public void BatchNorm_OfAnotherNumberOfChannels_Throws()
    {
        using var scope = NewDisposeScope();
        using var norm = BatchNorm2d(16);

        Assert.Throws<TorchException>(() => norm.forward(Extras.ChannelsLast(torch.zeros([2, 32, 4, 4]))));
    }

    [Fact]
    public void ConvReluPool_OfAnotherConvolution_Throws()
    {
        using var scope = NewDisposeScope();
        using var conv = Conv2d(1, 32, 3);

        Assert.Throws<ArgumentException>(() => Extras.ConvReluPool(torch.zeros([1, 1, 8, 8]), conv));
    }

    [Fact]
    public void Narrow_BeyondTheEnd_ThrowsLibtorchsMessage()
    {
        using var scope = NewDisposeScope();

        var error = Assert.ThrowsAny<Exception>(() => torch.zeros([3]).narrow(0, 2, 5));

        Assert.Contains("exceeds dimension size", error.Message);
    }

    [Fact]
    public void IndexSelect_IndexOutOfRange_ThrowsAndLeavesTheThreadUsable()
    {
        using var scope = NewDisposeScope();
        var values = torch.zeros([3]);

        Assert.ThrowsAny<Exception>(() => values.index_select(0, torch.tensor([7L], [1])));

        Assert.Equal(0, values.sum().ToDouble());
    }

    [Fact]
    public void Backward_WithoutAGraph_Throws()
    {
        using var scope = NewDisposeScope();

        var error = Assert.Throws<TorchException>(() => torch.zeros([1]).backward());

        Assert.Contains("does not require grad", error.Message);
    }

    [Fact]
    public void CrossEntropy_LabelOutOfRange_Throws()
    {
        using var scope = NewDisposeScope();

        var error = Assert.ThrowsAny<Exception>(() => functional.cross_entropy(torch.zeros([1, 3]), torch.tensor([3L], [1])));

        Assert.Contains("Target 3 is out of bounds", error.Message);
    }

    [Fact]
    public void Empty_MoreMemoryThanThereIs_ThrowsAndDoesNotAbort()
    {
        Assert.ThrowsAny<Exception>(() => torch.empty([1L << 50]));
    }

    [Fact]
    public void Data_OfAnotherElementSize_Throws()
    {
        using var values = torch.zeros([3]);

        Assert.Throws<TorchException>(() => values.data<double>().ToArray());
    }

    [Fact]
    public void Tensor_ArrayThatDoesNotFillTheShape_Throws() =>
        Assert.Throws<ArgumentException>(() => torch.tensor([1f, 2f], [3]));

    [Fact]
    public void NoGrad_UntilDisposed_RecordsNoGraph()
    {
        using var scope = NewDisposeScope();
        var weights = torch.zeros([2]).requires_grad_();

        using (no_grad()) Assert.False((weights * 2.0).requires_grad);
        Assert.True((weights * 2.0).requires_grad);
    }
}
