namespace Temper.Domain.Calibration.Calibrators;

/// <summary>
/// softmax(x + W·x + b), where x are the logits without their mean, divided by the T of temperature scaling. W and b are pulled towards
/// 0, so that little data gives temperature scaling and the fit exists where the data separate.
/// </summary>
/// <remarks>
/// Bias-corrected temperature scaling: Alexandari et al. 2020, arXiv:1901.06852. Vector scaling: Guo et al. 2017, arXiv:1706.04599. Both
/// have a standard normal prior on each parameter here, a penalty of ½θ²/N in the mean loss. Structured matrix scaling: Berta et al.
/// 2025, arXiv:2511.03685, with its ridge penalties K/N for the diagonal and for b, and K(K − 1)/N for the other entries of W.
/// </remarks>
public sealed class AffineScaling : Calibrator
{
    private readonly int classes;

    /// <summary>W, then b.</summary>
    private readonly double[] parameters;

    internal AffineScaling(CalibratorName name, LabelledLogits images, double temperature, CancellationToken cancellation)
        : base(name)
    {
        (Temperature, classes) = (temperature, images.Classes);
        parameters = new double[MatrixLength + classes];
        var (inputs, outputs) = (new double[images.Logits.Length], new double[classes]);
        for (var i = 0; i < images.Count; i++)
            WriteInput(images.Row(i), inputs.AsSpan(i * classes, classes));
        var penalties = Penalties(images.Count);
        Lbfgs.Minimise(Loss, parameters, cancellation);

        double Loss(double[] at, double[] gradient)
        {
            gradient.AsSpan().Clear();
            var loss = 0.0;
            for (var i = 0; i < images.Count; i++)
            {
                var input = inputs.AsSpan(i * classes, classes);
                WriteScores(at, input, outputs);
                loss += Softmax(outputs, images.Labels[i]);
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

    /// <summary>T, by which the logits without their mean are divided.</summary>
    public double Temperature { get; }

    /// <summary>W: one number for all classes, K numbers (one for each class), or K×K, row-major.</summary>
    public ReadOnlySpan<double> Matrix => parameters.AsSpan(0, MatrixLength);

    /// <summary>b: K numbers.</summary>
    public ReadOnlySpan<double> Bias => parameters.AsSpan(MatrixLength);

    public override long Bytes => parameters.LongLength * sizeof(double);

    private int MatrixLength =>
        Name switch
        {
            CalibratorName.BiasCorrectedTemperature => 1,
            CalibratorName.Vector => classes,
            _ => classes * classes,
        };

    protected override void Score(ReadOnlySpan<float> logits, Span<double> scores)
    {
        var input = new double[classes];
        WriteInput(logits, input);
        WriteScores(parameters, input, scores);
    }

    /// <summary>Writes x.</summary>
    private void WriteInput(ReadOnlySpan<float> logits, Span<double> input)
    {
        var mean = 0.0;
        foreach (var logit in logits)
            mean += (double)logit / classes;
        for (var k = 0; k < classes; k++)
            input[k] = (logits[k] - mean) / Temperature;
    }

    private double[] Penalties(int images)
    {
        var penalties = new double[parameters.Length];
        penalties.AsSpan().Fill(Name == CalibratorName.StructuredMatrix ? (double)classes / images : 0.5 / images);
        if (Name == CalibratorName.StructuredMatrix)
            for (var p = 0; p < classes * classes; p++)
                if (p % (classes + 1) != 0) // not on the diagonal
                    penalties[p] = classes * (classes - 1.0) / images;
        return penalties;
    }

    /// <summary>Writes x + W·x + b.</summary>
    private void WriteScores(double[] at, ReadOnlySpan<double> input, Span<double> scores)
    {
        var bias = at.AsSpan(MatrixLength);
        for (var k = 0; k < classes; k++)
            scores[k] =
                input[k]
                + bias[k]
                + Name switch
                {
                    CalibratorName.BiasCorrectedTemperature => at[0] * input[k],
                    CalibratorName.Vector => at[k] * input[k],
                    _ => VectorLoops.Dot(at.AsSpan(k * classes, classes), input),
                };
    }

    private void AddGradient(double[] gradient, ReadOnlySpan<double> input, ReadOnlySpan<double> derivatives)
    {
        for (var k = 0; k < classes; k++)
            gradient[MatrixLength + k] += derivatives[k];
        switch (Name)
        {
            case CalibratorName.BiasCorrectedTemperature:
                gradient[0] += VectorLoops.Dot(derivatives, input);
                break;
            case CalibratorName.Vector:
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
