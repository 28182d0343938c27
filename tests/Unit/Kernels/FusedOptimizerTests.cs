using Temper.Unit.Fixtures;

namespace Temper.Unit.Kernels;

[Collection(AloneCollection.Name)]
public sealed class FusedOptimizerTests : KernelTest
{
    private sealed record Case(string Name, double[][] Steps);

    public static TheoryData<string, ScalarType> Cases
    {
        get
        {
            var cases = new TheoryData<string, ScalarType>();
            foreach (var name in new[] { "adam", "adam with weight decay", "sgd", "sgd with momentum", "sgd nesterov" })
            foreach (var type in new[] { ScalarType.Float32, ScalarType.Float64 })
                cases.Add(name, type); // the kernel computes float32, libtorch's operations float64
            return cases;
        }
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void Step_TenTimes_MatchesPyTorchAfterEach(string name, ScalarType type)
    {
        var expected = Fixture.Read<Case>("optimizers.json").Single(c => c.Name == name).Steps;
        Parameter[] weights =
        [
            new(torch.tensor(Fixture.Floats(6, 1), [6]).to_type(type)),
            new(torch.tensor(Fixture.Floats(4, 2), [2, 2]).to_type(type)),
        ];
        float[][] goals = [Fixture.Floats(6, 3), Fixture.Floats(4, 4)],
            scales = [Fixture.Floats(6, 5), Fixture.Floats(4, 6)];
        using var optimizer = Create(name, weights);

        foreach (var after in expected)
        {
            optimizer.DropGradients();
            for (var i = 0; i < weights.Length; i++)
                GiveGradient(weights[i], goals[i], scales[i]);
            optimizer.Step();

            var values = weights.SelectMany(w => Read(w.to_type(ScalarType.Float32))).ToArray();
            for (var i = 0; i < after.Length; i++)
                Assert.Equal(after[i], values[i], 2e-6);
        }
    }

    /// <summary>Uses enough values for several threads, and gradients in another layout than their weights.</summary>
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void Step_OfTheKernel_EqualsThatOfLibtorchsOperations(int threads)
    {
        Libtorch.UseThreads(threads);
        foreach (var name in new[] { "adam with weight decay", "sgd nesterov" })
        {
            Parameter[] fused = [new(Values(Real, 1, 300, 500)), new(Values(Real, 2, 32, 16, 3, 3))],
                plain = [.. fused.Select(weight => new Parameter(weight.detach().to_type(ScalarType.Float64)))];
            using FusedOptimizer one = Create(name, fused),
                other = Create(name, plain);
            for (var step = 0; step < 3; step++)
            {
                foreach (var (weights, type) in new[] { (fused, ScalarType.Float32), (plain, ScalarType.Float64) })
                {
                    weights[0].grad = Values(Real, 10 + step, 300, 500).to_type(type);
                    weights[1].grad = ChannelsLast(Values(Real, 20 + step, 32, 16, 3, 3)).to_type(type);
                }
                one.Step();
                other.Step();
            }
            foreach (var (a, b) in fused.Zip(plain))
                AssertClose(Read(b.to_type(ScalarType.Float32)), Read(a));
        }
    }

    [Fact]
    public void Step_ParameterWithoutGradient_IsLeftAlone()
    {
        Parameter[] weights = [new(torch.tensor([1f], [1])), new(torch.tensor([1f], [1]))];
        using var optimizer = new FusedAdam(weights, 0.5);

        Gradients.Compute((weights[0] * 2.0).sum());
        optimizer.Step();
        optimizer.DropGradients();

        Assert.Equal(0.5, weights[0].detach().sum().ToDouble(), 1e-6);
        Assert.Equal(1, weights[1].detach().sum().ToDouble());
        Assert.Null(weights[0].grad);
    }

    /// <summary>The kernel writes without autograd, but autograd must still notice the change.</summary>
    [Fact]
    public void Step_WhileAGraphNeedsTheOldWeights_MakesItsBackwardPassFail()
    {
        Parameter[] weights = [new(torch.tensor([1f, 2], [2]))];
        using var optimizer = new FusedAdam(weights);
        var loss = (weights[0] * weights[0]).sum();
        weights[0].grad = torch.ones(2);

        optimizer.Step();

        var error = Assert.ThrowsAny<Exception>(() => Gradients.Compute(loss));
        Assert.Contains("modified by an inplace operation", error.Message);
    }

    [Fact]
    public void Step_AfterTheModelOrTheOptimizerWasDisposed_IsRefused()
    {
        var model = Linear(2, 2);
        using var optimizer = new FusedSgd(model.parameters(), 0.1);
        foreach (var parameter in model.parameters())
            parameter.grad = torch.ones_like(parameter);
        model.Dispose();
        Assert.ThrowsAny<InvalidOperationException>(optimizer.Step);

        using var other = Linear(2, 2);
        foreach (var parameter in other.parameters())
            parameter.grad = torch.ones_like(parameter);
        var disposed = new FusedAdam(other.parameters());
        disposed.Dispose();
        Assert.ThrowsAny<InvalidOperationException>(disposed.Step);
    }

    [Fact]
    public void Load_WhatWasSaved_GoesOnWithTheSameBits()
    {
        Parameter[] one = [new(Values(Real, 1, 5, 7))],
            other = [new(Values(Real, 1, 5, 7))];
        using FusedAdam first = new(one),
            second = new(other);
        one[0].grad = Values(Real, 2, 5, 7);
        first.Step();
        var saved = new MemoryStream();
        first.Save(new BinaryWriter(saved));
        using (no_grad())
            other[0].copy_(one[0]);

        second.Load(new BinaryReader(new MemoryStream(saved.ToArray())));
        foreach (var (weights, optimizer) in new[] { (one, first), (other, second) })
        {
            weights[0].grad = Values(Real, 3, 5, 7);
            optimizer.Step();
        }

        Assert.Equal(2, second.Steps);
        Assert.Equal(Read(one[0]), Read(other[0]));
        Assert.ThrowsAny<Exception>(() => second.Load(new BinaryReader(new MemoryStream(saved.ToArray()[..20]))));
    }

    /// <summary>Gradients 3 and 4 have together the norm 5.</summary>
    [Theory]
    [InlineData(1, 0.6, 0.8)]
    [InlineData(10, 3, 4)]
    public void ClipGradients_LargerThanAllowed_ScalesAllOfThem(double largest, double first, double second)
    {
        Parameter[] weights = [new(torch.tensor([1f], [1])), new(torch.tensor([1f], [1])), new(torch.tensor([1f], [1]))];
        using var optimizer = new FusedSgd(weights, 1);
        Gradients.Compute((weights[0] * 3.0).sum() + (weights[1] * 4.0).sum());

        optimizer.ClipGradients(largest);

        Assert.Equal(first, weights[0].grad!.sum().ToDouble(), 1e-5);
        Assert.Equal(second, weights[1].grad!.sum().ToDouble(), 1e-5);
        Assert.Null(weights[2].grad);
    }

    private static FusedOptimizer Create(string name, Parameter[] weights) =>
        name switch
        {
            "adam" => new FusedAdam(weights, 1e-2),
            "adam with weight decay" => new FusedAdam(weights, 1e-2, beta1: 0.8, beta2: 0.99, eps: 1e-6, weightDecay: 0.1),
            "sgd" => new FusedSgd(weights, 0.1),
            "sgd with momentum" => new FusedSgd(weights, 0.1, momentum: 0.9),
            "sgd nesterov" => new FusedSgd(weights, 0.1, momentum: 0.9, weightDecay: 0.01, nesterov: true),
            _ => throw new ArgumentOutOfRangeException(nameof(name)),
        };

    /// <summary>Gives the weights the gradient d/dw Σ scale·(w − goal)², through the coefficients of a linear loss.</summary>
    private static void GiveGradient(Parameter weights, float[] goal, float[] scale)
    {
        var w = Read(weights.to_type(ScalarType.Float32));
        var gradient = w.Select((value, i) => 2 * (value - goal[i]) * (scale[i] + 1)).ToArray();
        Gradients.Compute((weights * torch.tensor(gradient, weights.shape)).sum());
    }
}
