using Temper.Torch.Modules;
using Temper.Unit.Fixtures;

namespace Temper.Unit.Torch;

[Collection(AloneCollection.Name)]
public class OptimizerTests
{
    private sealed record Case(string Name, double[][] Steps);

    [Theory]
    [InlineData("adam")]
    [InlineData("adam with weight decay")]
    [InlineData("sgd")]
    [InlineData("sgd with momentum")]
    [InlineData("sgd nesterov")]
    public void Step_TenTimes_MatchesPyTorchAfterEach(string name)
    {
        using var scope = NewDisposeScope();
        var expected = Fixture.Read<Case>("optimizers.json").Single(c => c.Name == name).Steps;
        Parameter[] weights = [new(torch.tensor(Fixture.Floats(6, 1), [6])), new(torch.tensor(Fixture.Floats(4, 2), [2, 2]))];
        float[][] goals = [Fixture.Floats(6, 3), Fixture.Floats(4, 4)], scales = [Fixture.Floats(6, 5), Fixture.Floats(4, 6)];
        using var optimizer = Create(name, weights);

        foreach (var after in expected)
        {
            optimizer.zero_grad();
            for (var i = 0; i < weights.Length; i++) GiveGradient(weights[i], goals[i], scales[i]);
            optimizer.step();

            var values = weights.SelectMany(w => w.detach().data<float>().ToArray()).ToArray();
            for (var i = 0; i < after.Length; i++) Assert.Equal(after[i], values[i], 2e-6);
        }
    }

    [Fact]
    public void Step_ParameterWithoutGradient_IsLeftAlone()
    {
        using var scope = NewDisposeScope();
        Parameter[] weights = [new(torch.tensor([1f], [1])), new(torch.tensor([1f], [1]))];
        using var optimizer = torch.optim.Adam(weights, lr: 0.5);

        (weights[0] * 2.0).sum().backward();
        optimizer.step();
        optimizer.zero_grad();

        Assert.Equal(0.5, weights[0].detach().sum().ToDouble(), 1e-6);
        Assert.Equal(1, weights[1].detach().sum().ToDouble());
        Assert.Null(weights[0].grad);
    }

    [Fact]
    public void Step_AfterTheModelWasDisposed_IsRefused()
    {
        var model = Linear(2, 2);
        using var optimizer = torch.optim.SGD(model.parameters(), 0.1);
        model.Dispose();

        Assert.Throws<ObjectDisposedException>(() => optimizer.step());
        Assert.Throws<ObjectDisposedException>(optimizer.zero_grad);
    }

    [Fact]
    public void Step_AfterItsOwnDispose_IsRefused()
    {
        using var model = Linear(2, 2);
        var optimizer = torch.optim.Adam(model.parameters());
        optimizer.Dispose();

        Assert.Throws<ObjectDisposedException>(() => optimizer.step());
    }

    private static torch.optim.Optimizer Create(string name, Parameter[] weights) => name switch
    {
        "adam" => torch.optim.Adam(weights, lr: 1e-2),
        "adam with weight decay" => torch.optim.Adam(weights, lr: 1e-2, beta1: 0.8, beta2: 0.99, eps: 1e-6, weight_decay: 0.1),
        "sgd" => torch.optim.SGD(weights, 0.1),
        "sgd with momentum" => torch.optim.SGD(weights, 0.1, momentum: 0.9),
        "sgd nesterov" => torch.optim.SGD(weights, 0.1, momentum: 0.9, weight_decay: 0.01, nesterov: true),
        _ => throw new ArgumentOutOfRangeException(nameof(name)),
    };

    /// <summary>d/dw Σ scale·(w − goal)², handed over as the coefficients of a linear loss.</summary>
    private static void GiveGradient(Parameter weights, float[] goal, float[] scale)
    {
        var w = weights.detach().data<float>().ToArray();
        var gradient = w.Select((value, i) => 2 * (value - goal[i]) * (scale[i] + 1)).ToArray();
        (weights * torch.tensor(gradient, weights.shape)).sum().backward();
    }
}
