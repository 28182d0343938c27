namespace Temper.Domain.Datasets;

/// <summary>How test images are corrupted, to evaluate a model under a shift of the data.</summary>
public enum CorruptionKind
{
    /// <summary>Gaussian noise is added to every value, independently.</summary>
    Noise,

    /// <summary>A Gaussian blur; beyond the border the outermost pixels repeat.</summary>
    Blur,

    /// <summary>A rotation about the centre, to a random side, with bilinear interpolation; beyond the border all is black.</summary>
    Rotation,

    /// <summary>Less contrast: each value moves towards the mean of its channel of the image.</summary>
    Contrast,
}

/// <summary>One way to corrupt images. The kinds follow Hendrycks and Dietterich 2019, arXiv:1903.12261.</summary>
/// <param name="Strength">1 to <see cref="MostStrength"/>.</param>
public readonly record struct Corruption(CorruptionKind Kind, int Strength)
{
    public const int MostStrength = 5;

    /// <summary>The blur is stated for images with this smaller side, and grows with it.</summary>
    private const double UsualSide = 32;

    /// <summary>Standard deviations, as shares of the range of a value: those of ImageNet-C.</summary>
    private static readonly double[] Deviations = [0.08, 0.12, 0.18, 0.26, 0.38];

    /// <summary>Standard deviations in pixels of a 32×32 image.</summary>
    private static readonly double[] Radii = [0.5, 1, 1.5, 2, 2.5];

    /// <summary>Angles in degrees.</summary>
    private static readonly double[] Angles = [10, 20, 30, 40, 50];

    /// <summary>Factors on the distance to the mean: those of CIFAR-10-C.</summary>
    private static readonly double[] Factors = [0.75, 0.5, 0.4, 0.3, 0.15];

    /// <summary>Every kind with every strength: 20, each kind by its strength.</summary>
    public static IReadOnlyList<Corruption> All { get; } =
    [
        .. from kind in Enum.GetValues<CorruptionKind>()
        from strength in Enumerable.Range(1, MostStrength)
        select new Corruption(kind, strength),
    ];

    /// <summary>
    /// The number behind the strength. Noise: standard deviation as a share of 255. Blur: standard deviation in pixels of an image
    /// whose smaller side is 32. Rotation: degrees. Contrast: factor on the distance to the mean.
    /// </summary>
    public double Severity =>
        (
            Kind switch
            {
                CorruptionKind.Noise => Deviations,
                CorruptionKind.Blur => Radii,
                CorruptionKind.Rotation => Angles,
                _ => Factors,
            }
        )[Strength - 1];

    /// <summary>Standard deviation of the blur in pixels of an image of this size.</summary>
    internal double BlurPixels(int height, int width) => Severity * Math.Min(height, width) / UsualSide;
}
