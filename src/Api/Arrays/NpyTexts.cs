using System.Text;

namespace Temper.Api.Arrays;

/// <summary>Arrays of texts, NumPy's type `U`.</summary>
internal sealed partial record NpyHeader
{
    private const int BytesPerCharacter = 4,
        LongestItem = 1000;

    /// <param name="most">Largest number of texts.</param>
    /// <exception cref="WrongBodyException">It is no npy file with one row of at most so many texts.</exception>
    public static IReadOnlyList<string> ReadTexts(string name, NpzStream npy, long size, int most)
    {
        var (header, length) = ReadText(name, npy);
        if (Dictionary().Match(header) is not { Success: true } match || Names.Any(key => match.Groups[key].Captures.Count != 1))
            throw new WrongBodyException(name, "has no valid npy header");
        var descr = match.Groups["descr"].Value;
        if (descr is "|O")
            throw new WrongBodyException(name, "holds Python objects, which are never read; it must be an array of texts");
        if (descr is not ['<', 'U', .. var characters] || !int.TryParse(characters, out var item) || item is < 1 or > LongestItem)
            throw new WrongBodyException(
                name,
                $"must be an array of texts of 1 to {LongestItem} characters, such as numpy.array(['cat', 'dog']); its dtype is "
                    + WrongBodyException.Shown(descr)
            );
        if (ShapeOf(match.Groups["shape"].Value) is not [var count] || count > most)
            throw new WrongBodyException(name, $"must be one row of at most {most} texts; its shape is ({match.Groups["shape"].Value})");
        if (count * item * BytesPerCharacter != size - length)
            throw new WrongBodyException(
                name,
                $"must have the texts of its shape, {count * item * BytesPerCharacter} bytes; it has {size - length}"
            );
        var texts = new string[count];
        var bytes = new byte[item * BytesPerCharacter];
        for (var i = 0; i < texts.Length; i++)
        {
            npy.Read(bytes);
            texts[i] = Encoding.UTF32.GetString(bytes).TrimEnd('\0');
        }
        return texts;
    }
}
