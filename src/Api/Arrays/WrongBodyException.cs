namespace Temper.Api.Arrays;

/// <summary>What a request sent cannot be accepted.</summary>
/// <param name="part">The part at fault: an array, a file, a parameter, an image such as `images[3]`, or <see cref="Whole"/>.</param>
/// <param name="sentence">What is wrong with it, without a subject, such as `is truncated`. It is part of a 400.</param>
internal sealed class WrongBodyException(string part, string sentence) : Exception($"{part} {sentence}")
{
    /// <summary>Stands for the body as a whole in the place of a part.</summary>
    public const string Whole = "body";

    public string Part => part;

    public string Sentence => sentence;

    /// <returns>A name from a body for use in a sentence: at most 60 characters, printable ASCII.</returns>
    public static string Shown(string name) =>
        string.Concat(name.Take(60).Select(c => c is >= ' ' and <= '~' ? c : '?')) + (name.Length > 60 ? "…" : "");
}
