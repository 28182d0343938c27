namespace Temper.Api.Predict;

/// <summary>Posted images cannot be read.</summary>
/// <param name="part">The part at fault, such as `images[3]` or `body`.</param>
/// <param name="sentence">What is wrong with it, without a subject. It is part of a 400.</param>
internal sealed class WrongImagesException(string part, string sentence) : Exception($"{part} {sentence}")
{
    public string Part => part;

    public string Sentence => sentence;
}
