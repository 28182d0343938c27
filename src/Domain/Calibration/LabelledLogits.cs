namespace Temper.Domain.Calibration;

/// <summary>A model's logits for N images and K classes, with the label of each image.</summary>
public sealed class LabelledLogits
{
    /// <param name="logits">N×K, row-major.</param>
    /// <param name="labels">N labels in [0, K).</param>
    /// <param name="classes">K, at least 2.</param>
    /// <exception cref="ArgumentException">Sizes disagree, there are no labels, K is below 2, a label is out of range, or a logit
    /// is not finite.</exception>
    public LabelledLogits(float[] logits, int[] labels, int classes)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(classes, 2);
        if (labels.Length == 0)
            throw new ArgumentException("There are no labels, so nothing to judge.", nameof(labels));
        if (logits.Length != (long)labels.Length * classes)
            throw new ArgumentException(
                $"{labels.Length} labels need {labels.Length}×{classes} logits, not {logits.Length}.",
                nameof(logits)
            );
        foreach (var label in labels)
            if (label < 0 || label >= classes)
                throw new ArgumentException($"Label {label} is not in [0, {classes}).", nameof(labels));
        foreach (var logit in logits)
            if (!float.IsFinite(logit))
                throw new ArgumentException($"A logit is {logit}.", nameof(logits));
        (Logits, Labels, Classes, Predicted) = (logits, labels, classes, new int[labels.Length]);
        for (var i = 0; i < Predicted.Length; i++)
            Predicted[i] = IndexOfLargest(Row(i));
    }

    /// <summary>N×K, row-major.</summary>
    public float[] Logits { get; }

    public int[] Labels { get; }

    /// <summary>The class of each image's largest logit; of equal logits, the first class.</summary>
    public int[] Predicted { get; }

    public int Classes { get; }

    public int Count => Labels.Length;

    public ReadOnlySpan<float> Row(int i) => Logits.AsSpan(i * Classes, Classes);

    /// <summary>The images number <paramref name="first"/>, first + step, first + 2·step …</summary>
    /// <param name="first">Below <paramref name="step"/> and below N.</param>
    internal LabelledLogits Every(int step, int first = 0)
    {
        var labels = new int[(Count - first + step - 1) / step];
        var logits = new float[labels.Length * Classes];
        for (var i = 0; i < labels.Length; i++)
        {
            labels[i] = Labels[first + i * step];
            Row(first + i * step).CopyTo(logits.AsSpan(i * Classes));
        }
        return new(logits, labels, Classes);
    }

    /// <summary>Some of the images.</summary>
    /// <param name="images">Their indices, at least one.</param>
    internal LabelledLogits At(int[] images)
    {
        var logits = new float[images.Length * Classes];
        for (var i = 0; i < images.Length; i++)
            Row(images[i]).CopyTo(logits.AsSpan(i * Classes));
        return new(logits, Array.ConvertAll(images, image => Labels[image]), Classes);
    }

    /// <returns>The class with the largest of K logits; of equal ones, the first.</returns>
    public static int IndexOfLargest(ReadOnlySpan<float> logits)
    {
        var top = 0;
        for (var k = 1; k < logits.Length; k++)
            if (logits[k] > logits[top])
                top = k;
        return top;
    }
}
