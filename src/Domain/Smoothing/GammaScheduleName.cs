namespace Temper.Domain.Smoothing;

/// <summary>How γ of the focal loss depends on the image.</summary>
public enum GammaScheduleName
{
    Constant,

    /// <summary>FLSD-53 of Mukhoti et al. 2020, arXiv:2002.09437.</summary>
    Flsd53,
}
