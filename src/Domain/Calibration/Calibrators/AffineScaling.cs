namespace Temper.Domain.Calibration.Calibrators;

/// <summary>The matrix of an affine calibrator.</summary>
internal enum MatrixShape
{
    /// <summary>One number for all classes: bias-corrected temperature scaling.</summary>
    Scalar,

    /// <summary>One number for each class: vector scaling.</summary>
    Diagonal,

    /// <summary>K×K: structured matrix scaling.</summary>
    Full,
}

/// <summary>
/// softmax(x + W·x + b), where x are the logits without their mean, divided by the T of temperature scaling. W and b are pulled towards
/// 0, so that little data gives temperature scaling and the fit exists where the data separate.
/// </summary>
/// <remarks>
/// Bias-corrected temperature scaling: Alexandari et al. 2020, arXiv:1901.06852. Vector scaling: Guo et al. 2017, arXiv:1706.04599. Both
/// have a standard normal prior on each parameter here, a penalty of ½θ²/N in the mean loss. Structured matrix scaling: Berta et al.
/// 2025, arXiv:2511.03685, with its ridge penalties K/N for the diagonal and for b, and K(K − 1)/N for the other entries of W.
/// </remarks>
internal sealed class AffineScaling : ICalibrator
{
    private readonly MatrixShape shape;
    private readonly double temperature;
    private readonly int classes;

    /// <summary>W (1, K, or K×K by rows), then b (K).</summary>
    private readonly double[] parameters;

    public AffineScaling(LabelledLogits images, double temperature, MatrixShape shape, CancellationToken cancellation)
    {
        (this.shape, this.temperature, classes) = (shape, temperature, images.Classes);
        parameters = new double[MatrixLength + classes];
        var (inputs, outputs) = (InputsOf(images), new double[classes]);
        var penalties = Penalties(images.Count);
        Lbfgs.Minimise(Loss, parameters, cancellation);

        double Loss(double[] at, double[] gradient)
        {
            gradient.AsSpan().Clear();
            var loss = 0.0;
            for (var i = 0; i < images.Count; i++)
            {
                var input = inputs.AsSpan(i * classes, classes);
                loss += Outputs(at, input, images.Labels[i], outputs);
                outputs[images.Labels[i]] -= 1; // the derivatives of the loss by the outputs
                AddGradient(gradient, input, outputs);
            }
            VectorLoops.Divide(gradient, images.Count);
            loss /= images.Count;
            for (var p = 0; p < at.Length; p++)
            {
                loss += penalties[p] * at[p] * at[p];
                gradient[p] += 2 * penalties[p] * at[p];
            }
            return loss;
        }
    }

    private int MatrixLength =>
        shape switch
        {
            MatrixShape.Scalar => 1,
            MatrixShape.Diagonal => classes,
            _ => classes * classes,
        };

    public double[] Losses(LabelledLogits images)
    {
        var (inputs, outputs, losses) = (InputsOf(images), new double[classes], new double[images.Count]);
        for (var i = 0; i < losses.Length; i++)
            losses[i] = Outputs(parameters, inputs.AsSpan(i * classes, classes), images.Labels[i], outputs);
        return losses;
    }

    /// <returns>N×K: x.</returns>
    private double[] InputsOf(LabelledLogits images)
    {
        var inputs = Array.ConvertAll(images.Logits, logit => (double)logit);
        for (var i = 0; i < images.Count; i++)
        {
            var row = inputs.AsSpan(i * classes, classes);
            var mean = 0.0;
            foreach (var logit in row)
                mean += logit / classes;
            foreach (ref var logit in row)
                logit = (logit - mean) / temperature;
        }
        return inputs;
    }

    private double[] Penalties(int images)
    {
        var penalties = new double[parameters.Length];
        penalties.AsSpan().Fill(shape == MatrixShape.Full ? (double)classes / images : 0.5 / images);
        if (shape == MatrixShape.Full)
            for (var p = 0; p < classes * classes; p++)
                if (p % (classes + 1) != 0) // not on the diagonal
                    penalties[p] = classes * (classes - 1.0) / images;
        return penalties;
    }

    /// <summary>Writes the probabilities of an image.</summary>
    /// <returns>−ln of the label's probability.</returns>
    private double Outputs(double[] at, ReadOnlySpan<double> input, int label, Span<double> outputs)
    {
        var bias = at.AsSpan(MatrixLength);
        for (var k = 0; k < classes; k++)
            outputs[k] =
                input[k]
                + bias[k]
                + shape switch
                {
                    MatrixShape.Scalar => at[0] * input[k],
                    MatrixShape.Diagonal => at[k] * input[k],
                    _ => VectorLoops.Dot(at.AsSpan(k * classes, classes), input),
                };
        var largest = outputs[0];
        foreach (var output in outputs)
            largest = Math.Max(largest, output);
        var below = outputs[label] - largest;
        var sum = VectorLoops.Exponentials(outputs, largest);
        VectorLoops.Divide(outputs, sum);
        return Math.Log(sum) - below;
    }

    private void AddGradient(double[] gradient, ReadOnlySpan<double> input, ReadOnlySpan<double> derivatives)
    {
        for (var k = 0; k < classes; k++)
            gradient[MatrixLength + k] += derivatives[k];
        switch (shape)
        {
            case MatrixShape.Scalar:
                gradient[0] += VectorLoops.Dot(derivatives, input);
                break;
            case MatrixShape.Diagonal:
                for (var k = 0; k < classes; k++)
                    gradient[k] += derivatives[k] * input[k];
                break;
            default:
                for (var k = 0; k < classes; k++)
                    VectorLoops.AddProduct(gradient.AsSpan(k * classes, classes), input, derivatives[k]);
                break;
        }
    }
}
