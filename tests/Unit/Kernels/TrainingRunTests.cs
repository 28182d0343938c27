using Temper.Unit.Fixtures;
using Temper.Worker.Training.Models;

namespace Temper.Unit.Kernels;

[Collection(AloneCollection.Name)]
public sealed class TrainingRunTests : KernelTest
{
    private sealed record Weights(string Name, double Norm, double[] Sample);

    private sealed record Case(string Name, double[] Losses, Weights[] Weights);

    [Theory]
    [InlineData("adam", 0)]
    [InlineData("adam", 16)]
    [InlineData("sgd", 16)]
    public void TwentySteps_OfTheTutorialCnn_FollowPyTorchOnTheSameWeightsAndBatches(string optimizerName, int lanes)
    {
        KernelLibrary.LimitLanes(lanes);
        var expected = Fixture.Read<Case>("training_run.json").Single(c => c.Name == optimizerName);
        using var model = CreateModel();
        using FusedOptimizer optimizer =
            optimizerName == "adam"
                ? new FusedAdam(model.parameters(), 1e-3)
                : new FusedSgd(model.parameters(), 1e-2, momentum: 0.9, nesterov: true);

        for (var step = 0; step < 20; step++)
        {
            using var stepScope = NewDisposeScope();
            var (images_NCHW, labels_N) = Batch(step);
            optimizer.DropGradients();
            var loss = Fused.CrossEntropy(model.call(images_NCHW), labels_N, 0.1);
            Gradients.Compute(loss);
            optimizer.Step();

            Assert.Equal(expected.Losses[step], loss.ToDouble(), 5e-5);
        }

        foreach (var ((name, parameter), weights) in model.named_parameters().Zip(expected.Weights))
        {
            var values = parameter.detach().contiguous().data<float>().ToArray();
            Assert.Equal(weights.Name, name);
            Assert.Equal(weights.Norm, Math.Sqrt(values.Sum(v => (double)v * v)), 1e-3);
            var stride = Math.Max(1, values.Length / 16);
            // Adam turns the sign of a vanishing gradient into a whole step, so single weights agree less closely than the
            // losses.
            for (var i = 0; i < weights.Sample.Length; i++)
                Assert.Equal(weights.Sample[i], values[i * stride], 5e-4);
        }
    }

    private static Cnn CreateModel()
    {
        var model = new Cnn(1, 28, 28, 10);
        var salt = 0;
        foreach (var parameter in model.parameters())
        {
            var fanIn = parameter.shape.Length > 1 ? parameter.numel() / parameter.shape[0] : 100;
            var values = Array.ConvertAll(Fixture.Values(parameter.numel(), salt++), value => (float)(value * 2 / Math.Sqrt(fanIn)));
            using (no_grad())
                parameter.copy_(torch.tensor(values, parameter.shape));
        }
        return model;
    }

    private static (Tensor Images, Tensor Labels) Batch(int step)
    {
        var pixels = Fixture.Floats(32 * 784, 1000 + step);
        for (var i = 0; i < pixels.Length; i++)
            pixels[i] += i / 784 % 10 / 10f;
        var labels = Enumerable.Range(0, 32).Select(i => (long)(i % 10)).ToArray();
        var images_NCHW = torch.tensor(pixels, [32, 1, 28, 28]);
        return (ChannelsLast(images_NCHW), torch.tensor(labels, [32]));
    }
}
