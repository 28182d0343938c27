using static Temper.Kernels.NativeKernels;

namespace Temper.Kernels;

public static unsafe partial class Fused
{
    /// <summary>
    /// Cross-entropy against smoothed targets q = (1 − ε)·onehot + ε/K, averaged over the batch: −Σ
    /// q·log_softmax(logits).
    /// </summary>
    /// <param name="logits_NK">Float32.</param>
    /// <param name="labels_N">Int64, 0 to K − 1.</param>
    /// <param name="smoothing">ε, 0 to 1.</param>
    /// <returns>A tensor without dimensions.</returns>
    /// <exception cref="IndexOutOfRangeException">A label is not a class. Thrown only on the CPU.</exception>
    /// <remarks>Szegedy et al. 2016, arXiv:1512.00567. The same as PyTorch's CrossEntropyLoss(label_smoothing=ε).</remarks>
    public static Tensor CrossEntropy(Tensor logits_NK, Tensor labels_N, double smoothing)
    {
        if (!FitsCrossEntropy(logits_NK, labels_N, smoothing))
            return nn.functional.cross_entropy(logits_NK, labels_N, label_smoothing: smoothing);
        return torch.is_grad_enabled() && logits_NK.requires_grad
            ? CrossEntropyFunction.apply(logits_NK, labels_N, smoothing)
            : CrossEntropy(logits_NK, labels_N, smoothing, probabilities: null);
    }

    /// <summary>
    /// Number of rows whose label is the class with the largest logit; of equal logits the first counts. On a GPU it waits for
    /// the logits.
    /// </summary>
    /// <param name="logits_NK">Float32.</param>
    /// <param name="labels_N">Int64.</param>
    public static long CountHits(Tensor logits_NK, Tensor labels_N)
    {
        if (!FitsCrossEntropy(logits_NK, labels_N, smoothing: 0))
            return logits_NK.argmax(1).eq(labels_N).sum().ToInt64();
        var hits = tk_count_hits(logits_NK.shape[0], logits_NK.shape[1], Floats(logits_NK), (long*)Floats(labels_N));
        GC.KeepAlive(logits_NK);
        GC.KeepAlive(labels_N);
        return hits;
    }

    private static bool FitsCrossEntropy(Tensor logits_NK, Tensor labels_N, double smoothing) =>
        KernelLibrary.IsLoaded
        && smoothing is >= 0 and <= 1
        && logits_NK.Dimensions == 2
        && labels_N.Dimensions == 1
        && logits_NK.shape is [> 0, > 0]
        && logits_NK.shape[0] == labels_N.shape[0]
        && ImageLayout.IsDense(logits_NK, logits_NK.numel())
        && labels_N.device_type == DeviceType.CPU
        && labels_N.dtype == ScalarType.Int64
        && labels_N.is_contiguous();

    private static Tensor CrossEntropy(Tensor logits, Tensor labels, double smoothing, Tensor? probabilities)
    {
        long rows = logits.shape[0],
            classes = logits.shape[1];
        var loss = torch.empty([], ScalarType.Float32);
        var wrong = tk_cross_entropy_forward(
            rows,
            classes,
            Floats(logits),
            (long*)Floats(labels),
            smoothing,
            Floats(loss),
            Floats(probabilities)
        );
        GC.KeepAlive(logits);
        return wrong < 0
            ? loss
            : throw new IndexOutOfRangeException($"Label {labels[wrong].item<long>()} of row {wrong} is not one of {classes} classes.");
    }

    private sealed class CrossEntropyFunction : KernelFunction<CrossEntropyFunction>
    {
        private const string Smoothing = "smoothing";

        protected override Tensor Forward(autograd.AutogradContext context, object[] arguments)
        {
            var (logits, labels, smoothing) = ((Tensor)arguments[0], (Tensor)arguments[1], (double)arguments[2]);
            var probabilities = torch.empty(logits.shape, ScalarType.Float32);
            context.save_for_backward([probabilities, labels]);
            context.save_data(Smoothing, smoothing);
            return CrossEntropy(logits, labels, smoothing, probabilities);
        }

        protected override Tensor?[] Backward(autograd.AutogradContext context, List<Tensor> saved, Tensor gradient)
        {
            var (probabilities, labels) = (saved[0], saved[1]);
            var logitsGrad = torch.empty(probabilities.shape, ScalarType.Float32);
            KernelLibrary.Check(
                tk_cross_entropy_backward(
                    probabilities.shape[0],
                    probabilities.shape[1],
                    Floats(probabilities),
                    (long*)Floats(labels),
                    (double)context.get_data(Smoothing)!,
                    *Floats(gradient),
                    Floats(logitsGrad)
                ),
                probabilities,
                labels,
                gradient
            );
            return [logitsGrad, null, null];
        }
    }
}
