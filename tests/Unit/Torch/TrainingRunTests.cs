using Temper.Unit.Fixtures;
using Temper.Worker.Training.Models;

namespace Temper.Unit.Torch;

[Collection(AloneCollection.Name)]
public class TrainingRunTests
{
    private sealed record Weights(string Name, double Norm, double[] Sample);

    private sealed record Case(string Name, double[] Losses, Weights[] Weights);

    [Theory]
    [InlineData("adam", false)]
    [InlineData("adam", true)]
    [InlineData("sgd", true)]
    public void TwentySteps_OfTheTutorialCnn_FollowPyTorchOnTheSameWeightsAndBatches(string optimizerName, bool channelsLast)
    {
        using var scope = NewDisposeScope();
        var expected = Fixture.Read<Case>("training_run.json").Single(c => c.Name == optimizerName);
        using var model = CreateModel(channelsLast);
        using torch.optim.Optimizer optimizer = optimizerName == "adam"
            ? torch.optim.Adam(model.parameters(), lr: 1e-3)
            : torch.optim.SGD(model.parameters(), 1e-2, momentum: 0.9, nesterov: true);

        for (var step = 0; step < 20; step++)
        {
            using var stepScope = NewDisposeScope();
            var (images_NCHW, labels_N) = Batch(step, channelsLast);
            optimizer.zero_grad();
            var loss = functional.cross_entropy(model.call(images_NCHW), labels_N, label_smoothing: 0.1);
            loss.backward();
            optimizer.step();

            Assert.Equal(expected.Losses[step], loss.ToDouble(), 5e-5);
        }

        foreach (var ((name, parameter), weights) in model.named_parameters().Zip(expected.Weights))
        {
            var values = parameter.detach().contiguous().data<float>().ToArray();
            Assert.Equal(weights.Name, name);
            Assert.Equal(weights.Norm, Math.Sqrt(values.Sum(v => (double)v * v)), 1e-3);
            var stride = Math.Max(1, values.Length / 16);
            // Adam turns the sign of a vanishing gradient into a whole step, so single weights agree less than the losses do.
            for (var i = 0; i < weights.Sample.Length; i++) Assert.Equal(weights.Sample[i], values[i * stride], 5e-4);
        }
    }

    private static Cnn CreateModel(bool channelsLast)
    {
        var model = new Cnn(1, 28, 28, 10);
        var salt = 0;
        foreach (var parameter in model.parameters())
        {
            var fanIn = parameter.shape.Length > 1 ? parameter.NumberOfElements / parameter.shape[0] : 100;
            var values = Array.ConvertAll(Fixture.Values(parameter.NumberOfElements, salt++), value => (float)(value * 2 / Math.Sqrt(fanIn)));
            using (no_grad()) parameter.copy_(torch.tensor(values, parameter.shape));
        }
        if (channelsLast) Extras.ChannelsLast(model);
        return model;
    }

    private static (Tensor Images, Tensor Labels) Batch(int step, bool channelsLast)
    {
        var pixels = Fixture.Floats(32 * 784, 1000 + step);
        for (var i = 0; i < pixels.Length; i++) pixels[i] += i / 784 % 10 / 10f;
        var labels = Enumerable.Range(0, 32).Select(i => (long)(i % 10)).ToArray();
        var images_NCHW = torch.tensor(pixels, [32, 1, 28, 28]);
        return (channelsLast ? Extras.ChannelsLast(images_NCHW) : images_NCHW, torch.tensor(labels, [32]));
    }
}
