using Temper.Api.Arrays;
using Temper.Api.Onnx;

namespace Temper.Api.Predict;

/// <summary>Collects the posted images as a model takes them.</summary>
/// <param name="shape">The size of the model's images.</param>
internal sealed class ImageBatch(ImageShape shape)
{
    public const int LargestCount = 1000;

    private const int LargestBytes = 64 << 20;

    private byte[] pixels = new byte[shape.Pixels];

    public int Count { get; private set; }

    /// <summary>
    /// Images of a request: 1,000, or as many as have 64 MiB together. A packed file may be much smaller than its images.
    /// </summary>
    public int Most { get; } = Math.Min(LargestCount, LargestBytes / shape.Pixels);

    public ImageShape Shape => shape;

    /// <summary>N×H×W×C.</summary>
    public ReadOnlyMemory<byte> Pixels => pixels.AsMemory(0, Count * shape.Pixels);

    /// <summary>What the images must be, for refusals.</summary>
    public string Expected =>
        FormattableString.Invariant($"{shape.Height}×{shape.Width} pixels in {(shape.Channels == 1 ? "grey" : "colour")}");

    /// <summary>The name of the next image in refusals.</summary>
    public string Next => FormattableString.Invariant($"images[{Count}]");

    /// <exception cref="WrongBodyException">The next image has another size.</exception>
    public void RequireSize(int height, int width)
    {
        if ((height, width) != (shape.Height, shape.Width))
            throw new WrongBodyException(Next, FormattableString.Invariant($"must have {Expected}; it has {height}×{width}"));
    }

    /// <returns>Room for one more image, H×W×C. It counts as added.</returns>
    /// <exception cref="WrongBodyException">There are too many images.</exception>
    public Span<byte> Add()
    {
        if (Count == Most)
            throw new WrongBodyException("images", FormattableString.Invariant($"must be at most {Most}; there are more"));
        if (pixels.Length < (Count + 1) * shape.Pixels)
            Array.Resize(ref pixels, Math.Min(2 * pixels.Length, Most * shape.Pixels));
        return pixels.AsSpan(Count++ * shape.Pixels, shape.Pixels);
    }

    /// <summary>
    /// Adds an image of as many channels as the client has. Nothing is rounded: colour becomes grey only where it is grey.
    /// </summary>
    /// <param name="image">H×W×channels, and anything after it.</param>
    /// <exception cref="WrongBodyException">The image is in colour, and the model takes grey ones; or there are too many.</exception>
    public void Add(ReadOnlySpan<byte> image, int channels)
    {
        var name = Next;
        var to = Add();
        if (channels == shape.Channels)
            image[..to.Length].CopyTo(to);
        else if (channels == 1)
            for (var i = 0; i < to.Length; i++)
                to[i] = image[i / shape.Channels];
        else
            for (var i = 0; i < to.Length; i++)
            {
                to[i] = image[3 * i];
                if (image[3 * i + 1] != to[i] || image[3 * i + 2] != to[i])
                    throw new WrongBodyException(name, $"must have {Expected}; it is in colour");
            }
    }
}
