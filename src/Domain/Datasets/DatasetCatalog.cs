namespace Temper.Domain.Datasets;

/// <summary>A data set that can be trained on.</summary>
/// <param name="Name">As a job spec names it.</param>
/// <param name="Classes">K.</param>
/// <param name="Channels">1 for grey, 3 for colour.</param>
/// <param name="Height">Rows of pixels.</param>
/// <param name="Width">Columns of pixels.</param>
/// <param name="TrainImages">Images to train on, before the validation split is taken from them.</param>
/// <param name="TestImages">Images touched once, at the end of a job.</param>
/// <param name="About">One line for people.</param>
/// <param name="Characters">Whether its images are characters: mirrored, they are others or none.</param>
public sealed record DatasetCard(
    string Name,
    int Classes,
    int Channels,
    int Height,
    int Width,
    int TrainImages,
    int TestImages,
    string About,
    bool Characters = false
);

/// <summary>Every data set that a job spec may name.</summary>
public static class DatasetCatalog
{
    public static IReadOnlyList<DatasetCard> All { get; } =
    [
        new(
            "digits",
            10,
            1,
            28,
            28,
            4_000,
            5_000,
            "Drawn by Temper itself, nothing to download: small, noisy and easy to over-fit, its label uncertainty known.",
            Characters: true
        ),
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

    /// <summary>The card of that name, or null.</summary>
    public static DatasetCard? Find(string name) => All.FirstOrDefault(card => card.Name == name);
}
