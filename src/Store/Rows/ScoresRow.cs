namespace Temper.Store.Rows;

/// <summary>
/// The figures of a succeeded job by which studies compare jobs. <see cref="Temper.Domain.Jobs.Scores"/> explains them. A figure
/// that is newer than the table may be null: the workers of earlier builds do not store it.
/// </summary>
public sealed class ScoresRow
{
    public Guid JobId { get; init; }

    /// <summary>Training accuracy of the kept epoch, against the labels it was trained on.</summary>
    public double TrainAccuracy { get; init; }

    /// <summary>The epoch with the lowest validation loss.</summary>
    public int BestEpoch { get; init; }

    /// <summary>The epoch with the lowest validation loss after temperature; null where no epoch has one.</summary>
    public int? BestEpochAfterTemperature { get; init; }

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
    public double? ValidationDebiasedEce { get; init; }
    public double? ValidationSmoothEce { get; init; }
    public double? ValidationDebiasedEceAfterTemperature { get; init; }
    public double? ValidationSmoothEceAfterTemperature { get; init; }
    public double? ValidationAugrc { get; init; }

    public double TestAccuracy { get; init; }
    public double TestNll { get; init; }
    public double TestBrier { get; init; }
    public double TestEce { get; init; }
    public double TestSignedGap { get; init; }
    public double TestAurc { get; init; }
    public double TestNllAfterTemperature { get; init; }
    public double TestEceAfterTemperature { get; init; }
    public double? TestDebiasedEce { get; init; }
    public double? TestSmoothEce { get; init; }
    public double? TestDebiasedEceAfterTemperature { get; init; }
    public double? TestSmoothEceAfterTemperature { get; init; }
    public double? TestAugrc { get; init; }
}
