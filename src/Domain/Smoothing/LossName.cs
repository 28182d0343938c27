namespace Temper.Domain.Smoothing;

/// <summary>What training minimizes; <see cref="Jobs.JobSpec.Loss"/> has the formulas.</summary>
public enum LossName
{
    /// <summary>Szegedy et al. 2016, arXiv:1512.00567, §7.</summary>
    CrossEntropy,

    /// <summary>Lin et al. 2017, arXiv:1708.02002; for calibration Mukhoti et al. 2020, arXiv:2002.09437.</summary>
    Focal,

    /// <summary>Pereyra et al. 2017, arXiv:1701.06548.</summary>
    ConfidencePenalty,

    /// <summary>Liu et al. 2022, arXiv:2111.15430. Their code, too, takes the mean over the classes where equation 9 has a
    /// sum.</summary>
    MarginSmoothing,

    /// <summary>Zhou et al. 2025, arXiv:2502.15798.</summary>
    MaxSuppression,
}
