namespace Temper.Domain.Calibration.Calibrators;

/// <summary>softmax(logits / T); with T = 1 the model as trained.</summary>
/// <remarks>Guo et al. 2017, arXiv:1706.04599.</remarks>
public sealed class TemperatureScaling : Calibrator
{
    private TemperatureScaling(CalibratorName name, double temperature)
        : base(name) => Temperature = temperature;

    /// <param name="temperature">T above 0.</param>
    public TemperatureScaling(double temperature)
        : this(CalibratorName.Temperature, temperature) { }

    /// <summary>The model as trained.</summary>
    public static TemperatureScaling None { get; } = new(CalibratorName.None, 1);

    /// <summary>T.</summary>
    public double Temperature { get; }

    public override long Bytes => sizeof(double);

    protected override void Score(ReadOnlySpan<float> logits, Span<double> scores)
    {
        for (var k = 0; k < scores.Length; k++)
            scores[k] = logits[k] / Temperature;
    }
}
