namespace Temper.Store.Rows;

/// <summary>
/// The figures of a succeeded job by which studies compare jobs. <see cref="Temper.Domain.Jobs.Scores"/> explains them.
/// </summary>
public sealed class ScoresRow
{
    public Guid JobId { get; init; }

    /// <summary>Training accuracy of the last epoch, against the labels it was trained on.</summary>
    public double TrainAccuracy { get; init; }

    /// <summary>The epoch with the lowest validation loss.</summary>
    public int BestEpoch { get; init; }

    /// <summary>Number of images in the validation split; null when its logits were too large to keep.</summary>
    public int? ValidationImages { get; init; }

    /// <summary>Number of images in the test set; null when its logits were too large to keep.</summary>
    public int? TestImages { get; init; }

    public double Temperature { get; init; }

    public double ValidationAccuracy { get; init; }
    public double ValidationNll { get; init; }
    public double ValidationBrier { get; init; }
    public double ValidationEce { get; init; }
    public double ValidationSignedGap { get; init; }
    public double ValidationAurc { get; init; }
    public double ValidationNllAfterTemperature { get; init; }
    public double ValidationEceAfterTemperature { get; init; }

    public double TestAccuracy { get; init; }
    public double TestNll { get; init; }
    public double TestBrier { get; init; }
    public double TestEce { get; init; }
    public double TestSignedGap { get; init; }
    public double TestAurc { get; init; }
    public double TestNllAfterTemperature { get; init; }
    public double TestEceAfterTemperature { get; init; }
}
