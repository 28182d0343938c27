using static Temper.Kernels.NativeKernels;

namespace Temper.Kernels;

public static unsafe partial class Fused
{
    /// <summary>A linear layer, with relu in the same pass if `relu` is true: relu(rows·Wᵀ + b).</summary>
    /// <param name="rows_NI">Fast when contiguous and on the CPU.</param>
    /// <returns>N×(outputs).</returns>
    public static Tensor Linear(Tensor rows_NI, Linear linear, bool relu = false)
    {
        if (!FitsLinear(rows_NI, linear, out var sizes))
            return PlainLinear(rows_NI, linear, relu);
        var isDifferentiated =
            torch.is_grad_enabled() && (rows_NI.requires_grad || linear.weight.requires_grad || linear.bias?.requires_grad == true);
        return isDifferentiated
            // TorchSharp treats a null argument as one that is not a tensor.
            ? LinearFunction.apply(rows_NI, linear.weight, linear.bias!, sizes, relu)
            : Linear(rows_NI, linear.weight, linear.bias, sizes, relu);
    }

    private static Tensor PlainLinear(Tensor rows_NI, Linear linear, bool relu)
    {
        var output = linear.forward(rows_NI);
        return relu ? nn.functional.relu(output) : output;
    }

    private static bool FitsLinear(Tensor rows_NI, Linear linear, out LinearSizes sizes)
    {
        sizes = default;
        if (!KernelLibrary.IsLoaded || rows_NI.Dimensions != 2)
            return false;
        sizes = new LinearSizes
        {
            Rows = rows_NI.shape[0],
            Inputs = linear.in_features,
            Outputs = linear.out_features,
            Lanes = tk_linear_lanes(),
        };
        return sizes is { Lanes: > 0, Rows: > 0, Inputs: > 0, Outputs: > 0 }
            && rows_NI.shape[1] == sizes.Inputs
            && ImageLayout.IsDense(rows_NI, sizes.Rows * sizes.Inputs)
            && ImageLayout.IsDense(linear.weight, sizes.Inputs * sizes.Outputs)
            && (linear.bias is null || ImageLayout.IsDense(linear.bias, sizes.Outputs));
    }

    private static Tensor Linear(Tensor rows, Tensor weight, Tensor? bias, in LinearSizes sizes, bool relu)
    {
        var output = torch.empty([sizes.Rows, sizes.Outputs], ScalarType.Float32);
        KernelLibrary.Check(
            tk_linear_forward(sizes, Floats(rows), Floats(weight), Floats(bias), relu ? 1 : 0, Floats(output)),
            rows,
            weight,
            bias
        );
        return output;
    }

    private sealed class LinearFunction : KernelFunction<LinearFunction>
    {
        private const string Sizes = "sizes",
            HasBias = "has bias";

        protected override Tensor Forward(autograd.AutogradContext context, object[] arguments)
        {
            var (rows, weight, bias, sizes, relu) = (
                (Tensor)arguments[0],
                (Tensor)arguments[1],
                (Tensor?)arguments[2],
                (LinearSizes)arguments[3],
                (bool)arguments[4]
            );
            var output = Linear(rows, weight, bias, sizes, relu);
            // Save a detached output, because the output itself would keep this node alive.
            context.save_for_backward(relu ? [rows, weight, output.detach()] : [rows, weight]);
            context.save_data(Sizes, arguments[3]);
            context.save_data(HasBias, bias is not null);
            return output;
        }

        protected override Tensor?[] Backward(autograd.AutogradContext context, List<Tensor> saved, Tensor gradient)
        {
            var (rows, weight, output, sizes) = (saved[0], saved[1], saved.ElementAtOrDefault(2), (LinearSizes)context.get_data(Sizes)!);
            var outputGrad = gradient.contiguous();
            var weightGrad = weight.requires_grad ? torch.empty(weight.shape, ScalarType.Float32) : null;
            var biasGrad = (bool)context.get_data(HasBias)! ? torch.empty([sizes.Outputs], ScalarType.Float32) : null;
            var rowsGrad = rows.requires_grad ? torch.empty(rows.shape, ScalarType.Float32) : null;
            KernelLibrary.Check(
                tk_linear_backward(
                    sizes,
                    Floats(rows),
                    Floats(weight),
                    Floats(output),
                    Floats(outputGrad),
                    Floats(weightGrad),
                    Floats(biasGrad),
                    Floats(rowsGrad)
                ),
                rows,
                weight,
                output,
                outputGrad
            );
            return [rowsGrad, weightGrad, biasGrad, null, null];
        }
    }
}
