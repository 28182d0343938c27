using static Temper.Kernels.NativeKernels;

namespace Temper.Kernels;

public static unsafe partial class Fused
{
    /// <summary>Flattens images to rows of C·H·W values in the order C, H, W, which linear layers expect.</summary>
    /// <returns>images_NCHW.flatten(1): N×(C·H·W).</returns>
    public static Tensor Flatten(Tensor images_NCHW)
    {
        // A view flattens images that are already N, C, H, W in memory.
        if (!KernelLibrary.IsLoaded || images_NCHW.is_contiguous() || !ImageLayout.Fits(images_NCHW))
            return images_NCHW.flatten(1);
        return torch.is_grad_enabled() && images_NCHW.requires_grad ? FlattenFunction.apply(images_NCHW) : FlatRows(images_NCHW);
    }

    private static Tensor FlatRows(Tensor images)
    {
        var size = images.shape;
        var rows = torch.empty([size[0], size[1] * size[2] * size[3]], ScalarType.Float32);
        KernelLibrary.Check(tk_transpose(size[0], size[2] * size[3], size[1], Floats(images), Floats(rows)), images);
        return rows;
    }

    private sealed class FlattenFunction : KernelFunction<FlattenFunction>
    {
        private const string Size = "size";

        protected override Tensor Forward(autograd.AutogradContext context, object[] arguments)
        {
            context.save_data(Size, ((Tensor)arguments[0]).shape);
            return FlatRows((Tensor)arguments[0]);
        }

        protected override Tensor?[] Backward(autograd.AutogradContext context, List<Tensor> saved, Tensor gradient)
        {
            var size = (long[])context.get_data(Size)!;
            Tensor rows = gradient.contiguous(),
                images = ImageLayout.Empty(size[0], size[1], size[2], size[3]);
            KernelLibrary.Check(tk_transpose(size[0], size[1], size[2] * size[3], Floats(rows), Floats(images)), rows);
            return [images];
        }
    }
}
