using System.Runtime.InteropServices;
using Temper.Worker.Training.Models;

namespace Temper.Unit.Kernels;

/// <summary>Tests that count the tensors and measure the memory of the process.</summary>
[Collection(AloneCollection.Name)]
public class LifetimeTests
{
    [Fact]
    public void TrainingSteps_Thousands_KeepMemoryFlatAndReleaseEveryTensor()
    {
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
            var (tensors, bytes) = (Tensor.TotalCount, AllocatedBytes());
            Steps(3000);
            Collect();

            // Fewer when a tensor that an earlier test did not dispose is finalized only now.
            Assert.InRange(Tensor.TotalCount, 0, tensors);
            // A leak of one 25 kB activation at each step would be 75 MB.
            Assert.InRange(AllocatedBytes() - bytes, long.MinValue, 8L << 20);
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

        // TorchSharp 0.107 counts each parameter up twice when it is created and down once when it is disposed.
        const int parameters = 8;
        Assert.InRange(Tensor.TotalCount, 0, before + parameters);
    }

    /// <summary>
    /// The step's scope also disposes what an operation keeps for its backward pass when no backward pass runs.
    /// </summary>
    [Fact]
    public void Graph_ThatIsDropped_ReleasesEveryTensor()
    {
        using var model = new Cnn(1, 28, 28, 10);
        Collect();
        var before = Tensor.TotalCount;
        using (NewDisposeScope())
            _ = model.call(torch.zeros(4, 1, 28, 28));

        Assert.InRange(Tensor.TotalCount, 0, before);
    }

    /// <summary>As with libtorch's own operations, a graph without a scope is freed when its last tensor is disposed.</summary>
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
    /// Finalizes objects that earlier tests or TorchSharp's constructors did not dispose, so that this does not happen while a
    /// test counts.
    /// </summary>
    private static void Collect()
    {
        GC.Collect();
        GC.WaitForPendingFinalizers();
    }

    /// <returns>What native code has allocated and not freed, by glibc's count; pages that are not in memory belong to it.</returns>
    private static long AllocatedBytes()
    {
        var info = MallInfo2();
        return (long)(info.InUse + info.Mapped);
    }

    [DllImport("libc", EntryPoint = "mallinfo2")]
    private static extern MallocInfo MallInfo2();

    /// <summary>The ten fields of glibc's struct mallinfo2, each of 8 bytes.</summary>
    [StructLayout(LayoutKind.Explicit, Size = 80)]
    private struct MallocInfo
    {
        /// <summary>hblkhd: bytes of allocations that have a mapping of their own.</summary>
        [FieldOffset(32)]
        public ulong Mapped;

        /// <summary>uordblks: bytes of the other allocations.</summary>
        [FieldOffset(56)]
        public ulong InUse;
    }
}
