using Temper.Worker.Training.Models;

namespace Temper.Unit.Torch;

/// <summary>They count the process's tensors and its memory.</summary>
[Collection(AloneCollection.Name)]
public class LifetimeTests
{
    [Fact]
    public void TrainingSteps_Thousands_KeepMemoryFlatAndReleaseEveryTensor()
    {
        Extras.TuneMalloc();
        var tensorsBefore = Extras.LiveTensors;
        using (var model = new Cnn(1, 28, 28, 10))
        using (var optimizer = torch.optim.Adam(model.parameters()))
        using (var images_NCHW = torch.zeros([4, 1, 28, 28]))
        using (var labels_N = torch.zeros([4], dtype: int64))
        {
            void Steps(int count)
            {
                for (var i = 0; i < count; i++)
                {
                    using var scope = NewDisposeScope();
                    optimizer.zero_grad();
                    functional.cross_entropy(model.call(images_NCHW), labels_N, label_smoothing: 0.1).backward();
                    optimizer.step();
                }
            }

            Steps(300);
            var (tensors, resident) = (Extras.LiveTensors, ResidentBytes());
            Steps(3000);

            Assert.Equal(tensors, Extras.LiveTensors);
            // A leak of one 25 kB activation a step would be 75 MB.
            Assert.InRange(ResidentBytes() - resident, long.MinValue, 8L << 20);
        }
        Assert.Equal(tensorsBefore, Extras.LiveTensors);
    }

    [Fact]
    public void DisposeScope_WhenItEnds_DisposesWhatWasNotMovedOrDetached()
    {
        var before = Extras.LiveTensors;
        Tensor moved, detached;
        using (var outer = NewDisposeScope())
        {
            using (NewDisposeScope())
            {
                torch.zeros([3]);
                moved = torch.zeros([3]).MoveToOuterDisposeScope();
                detached = torch.zeros([3]).DetachFromDisposeScope();
            }
            Assert.Equal(before + 2, Extras.LiveTensors);
            Assert.Equal(1, outer.DisposablesCount);
            Assert.Equal(0, moved.sum().ToDouble());
        }
        Assert.Throws<ObjectDisposedException>(() => moved.sum());
        Assert.Equal(before + 1, Extras.LiveTensors);
        detached.Dispose();
        Assert.Equal(before, Extras.LiveTensors);
    }

    [Fact]
    public void Finalizer_ForgottenTensors_ReleasesThem()
    {
        Collect(); // what earlier tests forgot
        var before = Extras.LiveTensors;
        Forget();
        for (var i = 0; i < 20 && Extras.LiveTensors > before; i++) Collect();
        Assert.Equal(before, Extras.LiveTensors);

        static void Collect()
        {
            GC.Collect();
            GC.WaitForPendingFinalizers();
        }

        [System.Runtime.CompilerServices.MethodImpl(System.Runtime.CompilerServices.MethodImplOptions.NoInlining)]
        static void Forget()
        {
            for (var i = 0; i < 100; i++) torch.zeros([100]);
        }
    }

    private static long ResidentBytes() => Environment.WorkingSet;
}
