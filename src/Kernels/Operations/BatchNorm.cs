using static Temper.Kernels.NativeKernels;

namespace Temper.Kernels;

public static unsafe partial class Fused
{
    /// <summary>A batch normalization and, in the same pass, the addition of a residual and relu.</summary>
    /// <param name="images_NCHW">Fast if channels last, on the CPU, with a number of channels that fits the registers.</param>
    /// <param name="norm">In training it normalizes by the batch's statistics and updates the running ones.</param>
    /// <param name="residual_NCHW">The residual, of the images' shape; null for none.</param>
    public static Tensor BatchNorm(Tensor images_NCHW, BatchNorm2d norm, Tensor? residual_NCHW = null, bool relu = false)
    {
        if (!FitsBatchNorm(images_NCHW, norm, residual_NCHW, out var rows))
            return PlainBatchNorm(images_NCHW, norm, residual_NCHW, relu);
        if (norm.training)
            return TrainBatchNorm(images_NCHW, norm, residual_NCHW, relu, rows);
        // libtorch has to build a graph through the running statistics; the kernels cannot.
        return torch.is_grad_enabled()
            ? PlainBatchNorm(images_NCHW, norm, residual_NCHW, relu)
            : InferBatchNorm(images_NCHW, norm, residual_NCHW, relu, rows);
    }

    private static Tensor PlainBatchNorm(Tensor images_NCHW, BatchNorm2d norm, Tensor? residual_NCHW, bool relu)
    {
        var normalized = norm.forward(images_NCHW);
        if (residual_NCHW is not null)
            normalized = normalized.add(residual_NCHW);
        return relu ? nn.functional.relu(normalized) : normalized;
    }

    private static bool FitsBatchNorm(Tensor images_NCHW, BatchNorm2d norm, Tensor? residual_NCHW, out RowSizes rows)
    {
        rows = default;
        if (!KernelLibrary.IsLoaded || !ImageLayout.Fits(images_NCHW))
            return false;
        var size = images_NCHW.shape;
        rows = new RowSizes
        {
            Count = size[0] * size[2] * size[3],
            Channels = size[1],
            Lanes = tk_batch_norm_lanes(size[1]),
        };
        return rows.Lanes > 0
            && FitsNorm(norm, size[1])
            && (residual_NCHW is null || (ImageLayout.Fits(residual_NCHW) && residual_NCHW.shape.SequenceEqual(size)));
    }

    /// <summary>Whether the kernels can compute this normalization with this number of channels.</summary>
    private static bool FitsNorm(BatchNorm2d norm, long channels) =>
        norm.affine
        && norm.track_running_stats
        && norm.momentum is not null
        && ((Tensor?[])[norm.weight, norm.bias, norm.running_mean, norm.running_var]).All(values => ImageLayout.IsDense(values, channels));

    private static Tensor TrainBatchNorm(Tensor images, BatchNorm2d norm, Tensor? residual, bool relu, in RowSizes rows)
    {
        norm.num_batches_tracked?.add_(1);
        // TorchSharp treats a null argument as one that is not a tensor.
        return BatchNormFunction.apply(images, norm.weight, norm.bias!, residual!, norm, relu, rows);
    }

    private static Tensor InferBatchNorm(Tensor images, BatchNorm2d norm, Tensor? residual, bool relu, in RowSizes rows)
    {
        var output = EmptyLike(images);
        KernelLibrary.Check(
            tk_batch_norm_infer(rows, Norm.Of(norm, statistics: null), Floats(images), Floats(residual), relu ? 1 : 0, Floats(output)),
            images,
            residual
        );
        GC.KeepAlive(norm);
        return output;
    }

    private static Tensor EmptyLike(Tensor images) =>
        images.shape is var size ? ImageLayout.Empty(size[0], size[1], size[2], size[3]) : null!;

    private sealed class BatchNormFunction : KernelFunction<BatchNormFunction>
    {
        private const string Sizes = "sizes",
            HasResidual = "has residual";

        protected override Tensor Forward(autograd.AutogradContext context, object[] arguments)
        {
            var (images, residual) = ((Tensor)arguments[0], (Tensor?)arguments[3]);
            var (norm, relu, rows) = ((BatchNorm2d)arguments[4], (bool)arguments[5], (RowSizes)arguments[6]);
            Tensor output = EmptyLike(images),
                statistics = torch.empty([4, rows.Channels], ScalarType.Float32);
            KernelLibrary.Check(
                tk_batch_norm_train(rows, Norm.Of(norm, statistics), Floats(images), Floats(residual), relu ? 1 : 0, Floats(output)),
                images,
                residual
            );
            GC.KeepAlive(norm);
            // Save a detached output, because the output itself would keep this node alive.
            context.save_for_backward(relu ? [images, statistics, output.detach()] : [images, statistics]);
            context.save_data(Sizes, arguments[6]);
            context.save_data(HasResidual, residual is not null);
            return output;
        }

        protected override Tensor?[] Backward(autograd.AutogradContext context, List<Tensor> saved, Tensor gradient)
        {
            var (images, statistics, output) = (saved[0], saved[1], saved.ElementAtOrDefault(2));
            var rows = (RowSizes)context.get_data(Sizes)!;
            var outputGrad = ImageLayout.Of(gradient);
            Tensor imagesGrad = EmptyLike(images),
                weightGrad = torch.empty([rows.Channels], ScalarType.Float32),
                biasGrad = torch.empty([rows.Channels], ScalarType.Float32);
            var hasResidual = (bool)context.get_data(HasResidual)!;
            var maskedGrad = hasResidual && output is not null ? EmptyLike(images) : null;
            KernelLibrary.Check(
                tk_batch_norm_backward(
                    rows,
                    Floats(images),
                    Floats(statistics),
                    Floats(output),
                    Floats(outputGrad),
                    Floats(imagesGrad),
                    Floats(weightGrad),
                    Floats(biasGrad),
                    Floats(maskedGrad)
                ),
                images,
                statistics,
                output,
                outputGrad
            );
            return [imagesGrad, weightGrad, biasGrad, hasResidual ? maskedGrad ?? outputGrad.alias() : null, null, null, null];
        }
    }
}
