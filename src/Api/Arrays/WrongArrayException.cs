namespace Temper.Api.Arrays;

/// <summary>An uploaded file cannot be accepted.</summary>
/// <param name="array">The array at fault, or <see cref="WholeFile"/>.</param>
/// <param name="sentence">What is wrong with it, without a subject, such as `is truncated`. It is part of a 400.</param>
internal sealed class WrongArrayException(string array, string sentence) : Exception($"{array} {sentence}")
{
    /// <summary>Stands for the file as a whole in the place of an array.</summary>
    public const string WholeFile = "body";

    public string Array => array;

    public string Sentence => sentence;

    /// <returns>A name from a file for use in a sentence: at most 60 characters, printable ASCII.</returns>
    public static string Shown(string name) =>
        string.Concat(name.Take(60).Select(c => c is >= ' ' and <= '~' ? c : '?')) + (name.Length > 60 ? "…" : "");
}
