namespace Temper.Api.Datasets;

/// <summary>An upload is no data set that can be trained on.</summary>
/// <param name="part">The array, the file or the parameter at fault.</param>
/// <param name="sentence">What is wrong with it, without a subject. It is part of a 400.</param>
internal sealed class UploadRefusedException(string part, string sentence) : Exception($"{part} {sentence}")
{
    public string Part => part;

    public string Sentence => sentence;
}
