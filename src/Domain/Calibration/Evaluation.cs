namespace Temper.Domain.Calibration;

/// <summary>What a classifier's logits say against hard labels.</summary>
/// <param name="Loss">Mean negative log-likelihood of the label in nats, never smoothed.</param>
/// <param name="Accuracy">Share of top-1 hits, [0, 1].</param>
/// <param name="Ece">Expected calibration error, 15 equal-width bins, [0, 1].</param>
/// <param name="SignedGap">Mean confidence − accuracy: positive is over-confident, negative under-confident.</param>
public sealed record Evaluation(double Loss, double Accuracy, double Ece, double SignedGap)
{
    /// <summary>Evaluates in float64: a float32 softmax saturates at 1 and moves predictions across bins.</summary>
    /// <param name="logits">N×K, row-major.</param>
    /// <param name="labels">N labels in [0, K).</param>
    /// <exception cref="ArgumentException">Sizes disagree, nothing to evaluate, a label out of range, or a logit that is not finite.</exception>
    public static Evaluation Of(ReadOnlySpan<float> logits, ReadOnlySpan<long> labels, int classes)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(classes, 2);
        if (labels.IsEmpty) throw new ArgumentException("Nothing to evaluate.", nameof(labels));
        if (logits.Length != labels.Length * classes) throw new ArgumentException($"{labels.Length} labels need {labels.Length}×{classes} logits, not {logits.Length}.", nameof(logits));

        var confidences = new double[labels.Length];
        var correct = new bool[labels.Length];
        double loss = 0, confidence = 0;
        var hits = 0;
        for (var i = 0; i < labels.Length; i++)
        {
            var row = logits.Slice(i * classes, classes);
            var label = labels[i];
            if (label < 0 || label >= classes) throw new ArgumentException($"Label {label} is not in [0, {classes}).", nameof(labels));
            var (top, logSumExp) = Top(row);
            loss += logSumExp - row[(int)label];
            confidences[i] = Math.Exp(row[top] - logSumExp);
            correct[i] = top == label;
            confidence += confidences[i];
            hits += correct[i] ? 1 : 0;
        }
        double n = labels.Length, accuracy = hits / n;
        return new(loss / n, accuracy, ExpectedCalibrationError.Of(confidences, correct), confidence / n - accuracy);
    }

    /// <summary>The index of the largest logit (the first of equals) and log Σ exp of the row.</summary>
    private static (int Top, double LogSumExp) Top(ReadOnlySpan<float> row)
    {
        var top = 0;
        for (var k = 0; k < row.Length; k++)
        {
            if (!float.IsFinite(row[k])) throw new ArgumentException($"A logit is {row[k]}.", nameof(row));
            if (row[k] > row[top]) top = k;
        }
        var sum = 0.0;
        foreach (var logit in row) sum += Math.Exp((double)logit - row[top]);
        return (top, row[top] + Math.Log(sum));
    }
}
