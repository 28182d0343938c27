using Temper.Torch.Modules;

namespace Temper.Unit.Torch;

[Collection(AloneCollection.Name)]
public class ClipGradientsTests
{
    /// <summary>Gradients 3 and 4 have the norm 5 together.</summary>
    [Theory]
    [InlineData(1, 0.6, 0.8)]
    [InlineData(10, 3, 4)]
    public void ClipGradients_LargerThanAllowed_ScalesAllOfThem(double largest, double first, double second)
    {
        using var scope = NewDisposeScope();
        Parameter[] weights = [new(torch.tensor([1f], [1])), new(torch.tensor([1f], [1])), new(torch.tensor([1f], [1]))];
        using var optimizer = torch.optim.SGD(weights, 1);
        (weights[0] * 3.0).sum().backward();
        (weights[1] * 4.0).sum().backward();

        Extras.ClipGradients(optimizer, largest);

        Assert.Equal(first, weights[0].grad!.sum().ToDouble(), 1e-5);
        Assert.Equal(second, weights[1].grad!.sum().ToDouble(), 1e-5);
        Assert.Null(weights[2].grad);
    }
}
