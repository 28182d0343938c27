using Temper.Worker.Training.Models;

namespace Temper.Unit.Kernels;

/// <summary>They count the process's tensors and its memory.</summary>
[Collection(AloneCollection.Name)]
public class LifetimeTests
{
    [Fact]
    public void TrainingSteps_Thousands_KeepMemoryFlatAndReleaseEveryTensor()
    {
        Libtorch.KeepFreedMemory();
        using (var model = new Cnn(1, 28, 28, 10))
        using (var optimizer = new FusedAdam(model.parameters()))
        using (var images_NCHW = torch.zeros(4, 1, 28, 28))
        using (var labels_N = torch.zeros(4, dtype: int64))
        {
            void Steps(int count)
            {
                for (var i = 0; i < count; i++)
                {
                    using var scope = NewDisposeScope();
                    optimizer.DropGradients();
                    Gradients.Compute(Fused.CrossEntropy(model.call(images_NCHW), labels_N, 0.1));
                    optimizer.Step();
                }
            }

            Steps(300);
            Collect();
            var (tensors, resident) = (Tensor.TotalCount, ResidentBytes());
            Steps(3000);
            Collect();

            Assert.Equal(tensors, Tensor.TotalCount);
            // A leak of one 25 kB activation a step would be 75 MB.
            Assert.InRange(ResidentBytes() - resident, long.MinValue, 8L << 20);
        }
    }

    [Fact]
    public void ModelAndOptimizer_WhenDisposed_ReleaseEveryTensor()
    {
        Collect();
        var before = Tensor.TotalCount;
        using (NewDisposeScope())
        using (var model = new Cnn(1, 28, 28, 10))
        using (var optimizer = new FusedAdam(model.parameters()))
        {
            Gradients.Compute(Fused.CrossEntropy(model.call(torch.zeros(4, 1, 28, 28)), torch.zeros(4, dtype: int64), 0.1));
            optimizer.Step();
        }
        Collect();

        // TorchSharp 0.107 counts each parameter twice when it is made, and once when it is disposed of.
        const int parameters = 8;
        Assert.Equal(before + parameters, Tensor.TotalCount);
    }

    /// <summary>What an operation keeps for its backward pass goes with the step's scope also when there is no backward pass.</summary>
    [Fact]
    public void Graph_ThatIsDropped_ReleasesEveryTensor()
    {
        using var model = new Cnn(1, 28, 28, 10);
        Collect();
        var before = Tensor.TotalCount;
        using (NewDisposeScope())
            _ = model.call(torch.zeros(4, 1, 28, 28));

        Assert.Equal(before, Tensor.TotalCount);
    }

    /// <summary>A graph without a scope goes when its last tensor is disposed of, as with libtorch's own operations.</summary>
    [Fact]
    public void Graph_WithoutAScope_IsFreedByTheCollector()
    {
        using var model = new ResNet(depth: 8, width: 8, channels: 3, classes: 10);
        var seen = Forward(model);
        for (var i = 0; i < 5 && seen.IsAlive; i++)
            Collect();

        Assert.False(seen.IsAlive);

        [System.Runtime.CompilerServices.MethodImpl(System.Runtime.CompilerServices.MethodImplOptions.NoInlining)]
        static WeakReference Forward(Module<Tensor, Tensor> model) => new(model.call(torch.zeros(2, 3, 8, 8)));
    }

    /// <summary>
    /// What others forgot, earlier tests or TorchSharp's own constructors, is finalized now and not while this one
    /// counts.
    /// </summary>
    private static void Collect()
    {
        GC.Collect();
        GC.WaitForPendingFinalizers();
    }

    /// <summary>Outside the managed heap, whose size the collector decides.</summary>
    private static long ResidentBytes() => Environment.WorkingSet - GC.GetGCMemoryInfo().TotalCommittedBytes;
}
