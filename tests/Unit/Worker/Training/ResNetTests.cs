using Temper.Domain.Datasets;
using Temper.Domain.Jobs;
using Temper.Worker.Messages;
using Temper.Worker.Training.Models;

namespace Temper.Unit.Worker.Training;

[Collection(AloneCollection.Name)]
public sealed class ResNetTests : IDisposable
{
    public void Dispose() => KernelLibrary.LimitLanes(16);

    /// <summary>He et al. 2016, table 6, gives 0.27 M and 0.85 M on CIFAR-10.</summary>
    [Theory]
    [InlineData(ModelName.Resnet20, null, 269_722)]
    [InlineData(ModelName.Resnet56, null, 853_018)]
    [InlineData(ModelName.Resnet20, 32, 1_073_962)]
    public void Parameters_OfTheNetwork_AreAsManyAsThePaperHas(ModelName name, int? width, long parameters)
    {
        using var model = Create(name, width);

        Assert.Equal(parameters, model.parameters().Sum(parameter => parameter.numel()));
        Assert.Equal(name == ModelName.Resnet20 ? 3 * 19 : 3 * 55, model.named_buffers().Count());
        Assert.Contains("blocks.3.norm2.running_var", model.state_dict().Keys);
    }

    [Fact]
    public void Weights_OfTheWidestNetwork_FitTheRunnersPipe()
    {
        using var model = Create(ModelName.Resnet56, JobSpecRule.LargestWidth);

        Assert.InRange(4 * model.state_dict().Values.Sum(tensor => tensor.numel()), 0, PipeMessage.LongestArray);
    }

    /// <summary>
    /// Kernels and libtorch's own operations round in different orders. Ten steps at a large rate would show a wrong gradient.
    /// </summary>
    [Fact]
    public void TenSteps_WithAndWithoutKernels_AgreeToRounding()
    {
        var (expected, actual) = (Losses(0), Losses(16));

        Assert.True(actual[^1] < actual[0] / 2, string.Join(' ', actual));
        for (var i = 0; i < expected.Length; i++)
            Assert.Equal(expected[i], actual[i], 0.01 * expected[i]);
    }

    private static double[] Losses(int lanes)
    {
        KernelLibrary.LimitLanes(lanes);
        using var scope = NewDisposeScope();
        torch.manual_seed(1);
        using var model = Create(ModelName.Resnet20, null);
        using var optimizer = new FusedSgd(model.parameters(), 0.05, momentum: 0.9, nesterov: true);
        var random = new Random(1);
        var images_NCHW = torch
            .tensor([.. Enumerable.Range(0, 16 * 3 * 32 * 32).Select(_ => random.NextSingle() - 0.5f)], [16, 32, 32, 3])
            .permute(0, 3, 1, 2);
        var labels_N = torch.tensor([.. Enumerable.Range(0, 16).Select(i => i % 10L)], [16]);
        return
        [
            .. Enumerable
                .Range(0, 10)
                .Select(_ =>
                {
                    optimizer.DropGradients();
                    var loss = Fused.CrossEntropy(model.call(images_NCHW), labels_N, 0);
                    Gradients.Compute(loss);
                    optimizer.Step();
                    return loss.ToDouble();
                }),
        ];
    }

    private static Module<Tensor, Tensor> Create(ModelName name, int? width) =>
        ModelFactory.Create(
            new JobSpec
            {
                Dataset = "cifar10",
                Epsilon = 0,
                Epochs = 1,
                Model = name,
                Width = width,
            },
            DatasetCatalog.Find("cifar10")!
        );
}
