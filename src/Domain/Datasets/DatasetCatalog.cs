namespace Temper.Domain.Datasets;

/// <summary>A data set for training.</summary>
/// <param name="Name">The name in a job spec.</param>
/// <param name="Classes">K.</param>
/// <param name="Channels">1 for grey, 3 for colour.</param>
/// <param name="Height">Rows of pixels.</param>
/// <param name="Width">Columns of pixels.</param>
/// <param name="TrainImages">Number of training images, including those that become the validation split.</param>
/// <param name="TestImages">Number of test images, which a job uses once, at its end.</param>
/// <param name="About">A one-line description.</param>
/// <param name="Characters">Whether its images are characters, which mirroring turns into other characters or into none.</param>
/// <param name="ValidationImages">
/// Number of images of its own validation part; null when a part of the training images is used.
/// </param>
public sealed record DatasetCard(
    string Name,
    int Classes,
    int Channels,
    int Height,
    int Width,
    int TrainImages,
    int TestImages,
    string About,
    bool Characters = false,
    int? ValidationImages = null
)
{
    /// <summary>
    /// Images to train on when a job keeps a fraction of them for validation. A set with an own validation part keeps none.
    /// </summary>
    public double Trained(double validationFraction) => ValidationImages is null ? TrainImages * (1 - validationFraction) : TrainImages;

    /// <summary>Images to validate with when a job keeps a fraction of the training images for it.</summary>
    public double Validated(double validationFraction) => ValidationImages ?? TrainImages * validationFraction;
}

/// <summary>The data sets that every installation has.</summary>
public static class DatasetCatalog
{
    public static IReadOnlyList<DatasetCard> All { get; } =
    [
        new DrawnDigits().Card(),
        new("mnist", 10, 1, 28, 28, 60_000, 10_000, "Handwritten digits, LeCun et al. 1998.", Characters: true),
        new("fashion-mnist", 10, 1, 28, 28, 60_000, 10_000, "Articles of clothing, Xiao et al. 2017, arXiv:1708.07747."),
        new(
            "kmnist",
            10,
            1,
            28,
            28,
            60_000,
            10_000,
            "Cursive Japanese characters, Clanuwat et al. 2018, arXiv:1812.01718.",
            Characters: true
        ),
        new("cifar10", 10, 3, 32, 32, 50_000, 10_000, "Small photographs, Krizhevsky 2009, CIFAR-10."),
        new("cifar100", 100, 3, 32, 32, 50_000, 10_000, "Small photographs, Krizhevsky 2009, CIFAR-100: its 100 fine classes."),
    ];

    /// <param name="name">A name of the list above, or that of <see cref="DrawnDigits"/> with parameters.</param>
    /// <returns>Its card, with the name as specs keep it; null when there is none.</returns>
    public static DatasetCard? Find(string name) => All.FirstOrDefault(card => card.Name == name) ?? DrawnDigits.Read(name)?.Card();
}
