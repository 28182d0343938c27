using System.Globalization;
using System.Text.RegularExpressions;

namespace Temper.Domain.Datasets;

/// <summary>
/// The parameters of `digits`, the data set that Temper draws. Its name in a spec has those that differ from the defaults, such as
/// `digits:classes=37,size=64`.
/// </summary>
/// <param name="Classes">
/// K, 2 to 100. Up to 10 classes are single digits; of more classes, each is a number of two digits, from 00 on.
/// </param>
/// <param name="Size">Pixels a side of an image, 16 to 64.</param>
/// <param name="Noise">Largest change of a pixel by noise, as a share of full ink, 0 to 1.</param>
/// <param name="Images">Number of training images, 100 to 60,000, including those that become the validation split.</param>
public sealed partial record DrawnDigits(int Classes = 10, int Size = 28, double Noise = 0.25, int Images = 4000)
{
    private const string Name = "digits";
    private const int TestImages = 5000;

    /// <summary>Completes the sentence "must be …".</summary>
    public const string Allowed =
        "digits with parameters, such as digits:classes=37,size=64,noise=0.4,images=10000: classes 2 to 100, size 16 to 64, "
        + "noise 0 to 1, images 100 to 60000";

    /// <returns>Null when the text is no name of such a data set or a parameter is out of its range.</returns>
    public static DrawnDigits? Read(string? text)
    {
        if (text is null || Pattern().Match(text) is not { Success: true } match)
            return null;
        var (names, values) = (match.Groups["name"].Captures, match.Groups["value"].Captures);
        var read = Default;
        for (var i = 0; i < names.Count; i++)
        {
            var value = double.Parse(values[i].ValueSpan, CultureInfo.InvariantCulture);
            read = names[i].Value switch
            {
                "noise" => read with { Noise = value },
                _ when value != Math.Floor(value) => null,
                "classes" => read with { Classes = (int)value },
                "size" => read with { Size = (int)value },
                "images" => read with { Images = (int)value },
                _ => null,
            };
            if (read is null)
                return null;
        }
        var isOnce = names.Select(name => name.Value).Distinct().Count() == names.Count;
        return isOnce && read is { Classes: >= 2 and <= 100, Size: >= 16 and <= 64, Noise: >= 0 and <= 1, Images: >= 100 and <= 60_000 }
            ? read
            : null;
    }

    public DatasetCard Card() =>
        new(
            ToString(),
            Classes,
            1,
            Size,
            Size,
            Images,
            TestImages,
            "Drawn by Temper itself, nothing to download: small, noisy and easy to over-fit, its label uncertainty known.",
            Characters: true
        );

    /// <summary>The names of the classes, in the order of their labels.</summary>
    public IReadOnlyList<string> ClassNames() =>
        [.. Enumerable.Range(0, Classes).Select(label => label.ToString(HasTwoPlaces ? "00" : "0", CultureInfo.InvariantCulture))];

    /// <summary>Whether the classes are numbers of two digits.</summary>
    public bool HasTwoPlaces => Classes > 10;

    /// <summary>The name in a spec, the same for the same parameters.</summary>
    public override string ToString()
    {
        string[] given =
        [
            .. Given("classes", Classes, Default.Classes),
            .. Given("size", Size, Default.Size),
            .. Given("noise", Show(Noise), Show(Default.Noise)),
            .. Given("images", Images, Default.Images),
        ];
        return given.Length == 0 ? Name : $"{Name}:{string.Join(',', given)}";

        static IEnumerable<string> Given<T>(string name, T value, T usual) =>
            Equals(value, usual) ? [] : [string.Create(CultureInfo.InvariantCulture, $"{name}={value}")];
    }

    private static DrawnDigits Default { get; } = new();

    /// <summary>Without an exponent, so that <see cref="Read"/> can read it.</summary>
    private static string Show(double noise) => noise.ToString("0.######", CultureInfo.InvariantCulture);

    [GeneratedRegex(
        @"^digits(:(?<name>[a-z]+)=(?<value>[0-9]{1,6}(\.[0-9]{1,6})?)(,(?<name>[a-z]+)=(?<value>[0-9]{1,6}(\.[0-9]{1,6})?))*)?\z",
        RegexOptions.CultureInvariant
    )]
    private static partial Regex Pattern();
}
