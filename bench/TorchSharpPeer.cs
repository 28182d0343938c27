using System.Diagnostics;
using System.Globalization;
using System.IO.Compression;
using TorchSharp.Modules;

namespace Temper.Bench;

/// <summary>
/// Training loops in TorchSharp alone, without this project's kernels: the tutorial CNN on MNIST as TorchSharp's examples write
/// it, with a DataLoader, and a residual network with the improvements that a careful user would add.
/// </summary>
internal static class TorchSharpPeer
{
    private const int BatchSize = 128,
        WarmUp = 20,
        ResNetWarmUp = 3;

    /// <param name="arguments">stock FOLDER IMAGES THREADS WORKERS (0 threads: the default), or resnet DEPTH IMAGES THREADS.
    /// Prints images per second.</param>
    public static void Run(string[] arguments)
    {
        Libtorch.Load();
        torch.manual_seed(1);
        var rate = arguments switch
        {
            ["stock", var folder, var images, var threads, var workers] => Stock(folder, Number(images), Number(threads), Number(workers)),
            ["resnet", var depth, var images, var threads] => ResNet(Number(depth), Number(images), Number(threads)),
            _ => throw new ArgumentException("torchsharp stock FOLDER IMAGES THREADS WORKERS | resnet DEPTH IMAGES THREADS"),
        };
        Console.WriteLine(rate.ToString(CultureInfo.InvariantCulture));
    }

    private static int Number(string text) => int.Parse(text, CultureInfo.InvariantCulture);

    private static double Stock(string folder, int images, int threads, int workers)
    {
        if (threads > 0)
            torch.set_num_threads(threads);
        using var data = new Mnist(folder);
        using var loader = torch.utils.data.DataLoader(data, BatchSize, shuffle: true, num_worker: workers);
        using var model = new StockCnn();
        using var optimizer = torch.optim.Adam(model.parameters());
        var (step, steps, clock) = (0, images / BatchSize, Stopwatch.StartNew());
        foreach (var batch in loader)
        {
            if (step == WarmUp)
                clock.Restart();
            using (NewDisposeScope())
            {
                optimizer.zero_grad();
                var loss = functional.cross_entropy(model.forward(batch["data"]), batch["label"], label_smoothing: 0.1);
                loss.backward();
                optimizer.step();
                _ = loss.item<float>();
            }
            if (++step == WarmUp + steps)
                break;
        }
        return steps * BatchSize / clock.Elapsed.TotalSeconds;
    }

    private static double ResNet(int depth, int images, int threads)
    {
        torch.set_num_threads(threads);
        Libtorch.KeepFreedMemory();
        using var model = new PlainResNet(depth);
        using var optimizer = torch.optim.SGD(model.parameters(), 0.1, momentum: 0.9, weight_decay: 1e-4, nesterov: true);
        Parameter[] parameters = [.. model.parameters()];
        using var pixels_NCHW = torch.randn(10 * BatchSize, 32, 32, 3).permute(0, 3, 1, 2); // channels last
        using var labels_N = torch.randint(10, [10 * BatchSize], int64);
        var (steps, clock) = (images / BatchSize, Stopwatch.StartNew());
        for (var step = 0; step < ResNetWarmUp + steps; step++)
        {
            if (step == ResNetWarmUp)
                clock.Restart();
            using var scope = NewDisposeScope();
            foreach (var parameter in parameters)
                parameter.grad = null;
            var start = step % 10 * BatchSize;
            var loss = functional.cross_entropy(
                model.forward(pixels_NCHW.narrow(0, start, BatchSize)),
                labels_N.narrow(0, start, BatchSize),
                label_smoothing: 0.1
            );
            loss.backward();
            optimizer.step();
            _ = loss.item<float>();
        }
        return steps * BatchSize / clock.Elapsed.TotalSeconds;
    }

    /// <summary>Follows TorchSharp's torchvision: one tensor for each image, normalized when the loader requests it.</summary>
    private sealed class Mnist : torch.utils.data.Dataset
    {
        private readonly List<Tensor> images = [],
            labels = [];

        public Mnist(string folder)
        {
            var (pixels, classes) = (Read("train-images-idx3-ubyte.gz", header: 16), Read("train-labels-idx1-ubyte.gz", header: 8));
            for (var i = 0; i < classes.Length; i++)
            {
                images.Add(torch.tensor(Array.ConvertAll(pixels[(i * 784)..((i + 1) * 784)], pixel => pixel / 256f), [28, 28]));
                labels.Add(torch.tensor((long)classes[i]));
            }

            byte[] Read(string name, int header)
            {
                using var file = new GZipStream(File.OpenRead(Path.Combine(folder, name)), CompressionMode.Decompress);
                var all = new MemoryStream();
                file.CopyTo(all);
                return all.ToArray()[header..];
            }
        }

        public override long Count => images.Count;

        public override Dictionary<string, Tensor> GetTensor(long index) =>
            new() { ["data"] = images[(int)index].unsqueeze(0).sub(0.1307).div(0.3081), ["label"] = labels[(int)index] };
    }

    private sealed class StockCnn : Module<Tensor, Tensor>
    {
        private readonly Conv2d conv1 = Conv2d(1, 32, 3, padding: 1),
            conv2 = Conv2d(32, 64, 3, padding: 1);
        private readonly Linear fc1 = Linear(64 * 7 * 7, 128),
            fc2 = Linear(128, 10);

        public StockCnn()
            : base(nameof(StockCnn)) => RegisterComponents();

        public override Tensor forward(Tensor images_NCHW)
        {
            var x = functional.max_pool2d(functional.relu(conv1.forward(images_NCHW)), 2);
            x = functional.max_pool2d(functional.relu(conv2.forward(x)), 2);
            return fc2.forward(functional.relu(fc1.forward(x.flatten(1))));
        }
    }

    /// <summary>The same network as Temper's, built from TorchSharp's own modules.</summary>
    private sealed class PlainResNet : Module<Tensor, Tensor>
    {
        private readonly Conv2d conv = Conv2d(3, 16, 3, padding: 1, bias: false);
        private readonly BatchNorm2d norm = BatchNorm2d(16);
        private readonly ModuleList<Block> blocks;
        private readonly Linear fc = Linear(64, 10);

        public PlainResNet(int depth)
            : base(nameof(PlainResNet))
        {
            var each = (depth - 2) / 6;
            blocks = ModuleList([
                .. Enumerable
                    .Range(0, 3 * each)
                    .Select(i =>
                        i % each == 0 && i > 0
                            ? new Block(8 << (i / each), 16 << (i / each), 2)
                            : new Block(16 << (i / each), 16 << (i / each), 1)
                    ),
            ]);
            RegisterComponents();
        }

        public override Tensor forward(Tensor images_NCHW)
        {
            var x = functional.relu(norm.forward(conv.forward(images_NCHW)));
            foreach (var block in blocks)
                x = block.forward(x);
            return fc.forward(functional.adaptive_avg_pool2d(x, 1).flatten(1));
        }

        internal sealed class Block : Module<Tensor, Tensor>
        {
            private readonly Conv2d conv1,
                conv2;
            private readonly BatchNorm2d norm1,
                norm2;
            private readonly long stride,
                more;

            public Block(long from, long to, long stride)
                : base(nameof(Block))
            {
                (this.stride, more) = (stride, to - from);
                (conv1, conv2) = (Conv2d(from, to, 3, stride: stride, padding: 1, bias: false), Conv2d(to, to, 3, padding: 1, bias: false));
                (norm1, norm2) = (BatchNorm2d(to), BatchNorm2d(to));
                RegisterComponents();
            }

            public override Tensor forward(Tensor x)
            {
                var y = norm2.forward(conv2.forward(functional.relu(norm1.forward(conv1.forward(x)))));
                var shortcut =
                    stride == 1 ? x : functional.pad(functional.max_pool2d(x, 1, stride: stride), [0, 0, 0, 0, more / 2, more - more / 2]);
                return functional.relu(y.add_(shortcut));
            }
        }
    }
}
