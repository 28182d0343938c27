namespace Temper.Worker.Datasets;

/// <summary>The four IDX files of a data set as their authors published them.</summary>
/// <param name="Dataset">Its name in the catalog.</param>
/// <param name="Mirrors">Base URLs, tried in order.</param>
internal sealed record PublishedFiles(
    string Dataset,
    IReadOnlyList<Uri> Mirrors,
    PublishedFile TrainImages,
    PublishedFile TrainLabels,
    PublishedFile TestImages,
    PublishedFile TestLabels
)
{
    public static IReadOnlyList<PublishedFiles> All { get; } =
    [
        Of(
            "mnist",
            ["https://ossci-datasets.s3.amazonaws.com/mnist/", "https://storage.googleapis.com/cvdf-datasets/mnist/"],
            // Mirrors pack the same content differently, so the hash covers the unpacked content.
            HashOf.Content,
            "6bbc9ace898e44ae57da46a324031adb",
            "a25bea736e30d166cdddb491f175f624",
            "2646ac647ad5339dbf082846283269ea",
            "27ae3e4e09519cfbb04c329615203637"
        ),
        Of(
            "fashion-mnist",
            [
                "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
                "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
            ],
            HashOf.File,
            "8d4fb7e6c68d591d4c3dfef9ec88bf0d",
            "25c81989df183df01b3e8a0aad5dffbe",
            "bef4ecab320f06d8554ea6380940ec79",
            "bb300cfdad3c16e7a12a480ee83cd310"
        ),
        Of(
            "kmnist",
            ["http://codh.rois.ac.jp/kmnist/dataset/kmnist/"],
            HashOf.File,
            "bdb82020997e1d708af4cf47b453dcf7",
            "e144d726b3acfaa3e44228e80efcd344",
            "5c965bf0a639b31b8f53240b1b52f4d7",
            "7320c461ea6c1c855c0b718fb2a4b134"
        ),
    ];

    public IReadOnlyList<PublishedFile> Files { get; } = [TrainImages, TrainLabels, TestImages, TestLabels];

    public static PublishedFiles Of(
        string dataset,
        IReadOnlyList<string> mirrors,
        HashOf hashOf,
        string trainImages,
        string trainLabels,
        string testImages,
        string testLabels
    ) =>
        new(
            dataset,
            [.. mirrors.Select(mirror => new Uri(mirror))],
            Of("train-images-idx3-ubyte", trainImages, hashOf),
            Of("train-labels-idx1-ubyte", trainLabels, hashOf),
            Of("t10k-images-idx3-ubyte", testImages, hashOf),
            Of("t10k-labels-idx1-ubyte", testLabels, hashOf)
        );

    /// <summary>An unpacked file may also have a name such as train-images.idx3-ubyte.</summary>
    private static PublishedFile Of(string name, string md5, HashOf hashOf) =>
        new($"{name}.gz", md5, hashOf) { Names = [$"{name}.gz", name, name.Replace("-idx", ".idx", StringComparison.Ordinal)] };
}
