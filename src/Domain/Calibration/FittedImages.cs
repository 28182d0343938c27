namespace Temper.Domain.Calibration;

/// <summary>The images on which a temperature is fitted: those of all folds, or of all folds except one.</summary>
internal sealed class FittedImages(FoldLosses losses, int? without = null)
{
    /// <summary>Mean over images of ln Σ_k exp(β z_k) − β z_label, and its first two derivatives in β.</summary>
    public (double Value, double Slope, double Curvature) Nll(double beta)
    {
        var sum = Total(losses.Nll(beta));
        return (sum.Value / sum.Images, sum.Slope / sum.Images, sum.Curvature / sum.Images);
    }

    /// <summary>
    /// Σ over images of the probability of all classes except those with the largest logit: the mistakes that the model expects.
    /// It tends to 0 as T → 0. With its derivative in β.
    /// </summary>
    public (double Value, double Slope) Doubt(double beta)
    {
        var sum = Total(losses.Doubt(beta));
        return (sum.Value, sum.Slope);
    }

    /// <summary>Whether each image's logits are all equal.</summary>
    public bool AreFlat() => losses.All(without, i => losses.Logits.Row(i).IndexOfAnyExcept(losses.Logits.Row(i)[0]) < 0);

    /// <summary>Whether no logit of any image is above that of its label.</summary>
    public bool AreAllRight() =>
        losses.All(without, i => losses.Logits.Row(i)[losses.Logits.Labels[i]] >= losses.Logits.Row(i)[losses.Logits.Predicted[i]]);

    private LossSums Total(LossSums[] folds)
    {
        var sum = default(LossSums);
        for (var fold = 0; fold < folds.Length; fold++)
            if (fold != without)
                sum += folds[fold];
        return sum;
    }
}
