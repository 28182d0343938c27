using System.Diagnostics.CodeAnalysis;
using SkiaSharp;

namespace Temper.Api.Images;

/// <summary>
/// A PNG or JPEG file. Its header gives the size, so that a file that claims too many pixels is refused before any of them is
/// decoded. Pixels are those of the file: no colour profile, gamma or orientation is applied to them.
/// </summary>
/// <remarks>
/// Skia decodes: its decoders are those of browsers and are tested with hostile files. The managed decoders that were considered
/// inflate a PNG without a bound (StbImageSharp) or have known faults with crafted files (ImageSharp 2).
/// </remarks>
internal sealed class ImageFile : IDisposable
{
    /// <summary>Largest height and width of an image, in pixels.</summary>
    public const int LargestSide = 256;

    /// <summary>Largest file in bytes: five times the pixels of the largest image, which leaves room for metadata.</summary>
    public const int LargestBytes = 1 << 20;

    /// <summary>
    /// Most scans of a JPEG. Each scan decodes the whole image again, and a hundred thousand empty ones fit a file. A progressive
    /// JPEG has ten.
    /// </summary>
    private const int MostScans = 32;

    private static readonly byte[] PngSignature = [0x89, .. "PNG\r\n\x1a\n"u8],
        JpegSignature = [0xFF, 0xD8, 0xFF];

    private readonly SKData data;
    private readonly SKCodec codec;

    private ImageFile(SKData data, SKCodec codec) => (this.data, this.codec) = (data, codec);

    public int Height => codec.Info.Height;

    public int Width => codec.Info.Width;

    /// <summary>1 when the file holds shades of grey, else 3. A file in colour may hold grey pixels only.</summary>
    public int Channels => codec.Info.ColorType == SKColorType.Gray8 ? 1 : 3;

    /// <summary>Reads the header of a file.</summary>
    /// <param name="fault">Completes the sentence "The file …"; null when the file was opened.</param>
    public static bool TryOpen(ReadOnlySpan<byte> file, [NotNullWhen(true)] out ImageFile? image, [NotNullWhen(false)] out string? fault)
    {
        image = null;
        if ((fault = FaultBeforeDecoding(file)) is not null)
            return false;
        var data = SKData.CreateCopy(file);
        if (SKCodec.Create(data) is not { } codec)
        {
            data.Dispose();
            fault = "is damaged: its header cannot be read";
            return false;
        }
        image = new(data, codec);
        if ((fault = image.FaultOfHeader()) is null)
            return true;
        image.Dispose();
        image = null;
        return false;
    }

    /// <summary>Decodes the pixels. Grey becomes colour, and colour whose pixels are all grey becomes grey; nothing is rounded.</summary>
    /// <param name="channels">1 or 3.</param>
    /// <param name="pixels">H×W×C, row-major.</param>
    /// <param name="fault">Completes the sentence "The file …"; null when the pixels were decoded.</param>
    public bool TryDecode(int channels, Span<byte> pixels, [NotNullWhen(false)] out string? fault)
    {
        var grey = Channels == 1;
        var info = new SKImageInfo(
            Width,
            Height,
            grey ? SKColorType.Gray8 : SKColorType.Rgba8888,
            codec.Info.AlphaType == SKAlphaType.Opaque ? SKAlphaType.Opaque : SKAlphaType.Unpremul
        );
        using var decoded = new SKBitmap();
        if (!decoded.TryAllocPixels(info) || codec.GetPixels(info, decoded.GetPixels()) != SKCodecResult.Success)
        {
            fault = "is damaged or cut off: its pixels cannot be decoded";
            return false;
        }
        fault =
            grey ? FromGrey(decoded.GetPixelSpan(), channels, pixels)
            : channels == 3 ? FromColour(decoded.GetPixelSpan(), pixels)
            : ToGrey(decoded.GetPixelSpan(), pixels);
        return fault is null;
    }

    public void Dispose()
    {
        codec.Dispose();
        data.Dispose();
    }

    private string? FaultOfHeader() =>
        Height > LargestSide || Width > LargestSide ? $"has {Height}×{Width} pixels; at most {LargestSide}×{LargestSide} are allowed"
        : codec.EncodedOrigin != SKEncodedOrigin.TopLeft ? "is turned or mirrored by its EXIF orientation; store the pixels upright"
        : null;

    /// <summary>Refuses by the file's first bytes what Skia would convert with a loss, and formats other than PNG and JPEG.</summary>
    private static string? FaultBeforeDecoding(ReadOnlySpan<byte> file)
    {
        const int BitDepth = 24; // in a PNG: after the signature, the length and name of IHDR, width and height
        if (file.Length > LargestBytes)
            return $"has {file.Length} bytes; at most {LargestBytes} are allowed";
        if (file.StartsWith(PngSignature))
            return file.Length > BitDepth && file[BitDepth] == 16 ? "has 16 bits per channel; 8 are allowed" : null;
        if (file.StartsWith(JpegSignature))
            return FaultOfJpeg(file);
        return "is neither PNG nor JPEG";
    }

    private static string? FaultOfJpeg(ReadOnlySpan<byte> file)
    {
        const int Restart = 0xD0,
            EndOfImage = 0xD9,
            StartOfScan = 0xDA;
        var scans = 0;
        for (var at = 2; at + 3 < file.Length; )
        {
            var marker = file[at + 1];
            // Between segments are the bits of scans, where 0xFF 0 is a byte 0xFF. Restart markers and 1 have no length.
            if (file[at] != 0xFF || marker is 0 or 1 or 0xFF or (>= Restart and < EndOfImage))
            {
                at++;
                continue;
            }
            if (marker == EndOfImage)
                break;
            if (marker is >= 0xC0 and <= 0xCF and not (0xC4 or 0xC8 or 0xCC) && at + 9 < file.Length && file[at + 9] == 4)
                return "is a JPEG in CMYK; grey and RGB are allowed";
            if (marker == StartOfScan && ++scans > MostScans)
                return $"has more than {MostScans} scans";
            at += 2 + (file[at + 2] << 8 | file[at + 3]); // the length counts its own two bytes
        }
        return null;
    }

    private static string? FromGrey(ReadOnlySpan<byte> grey, int channels, Span<byte> pixels)
    {
        for (var i = 0; i < pixels.Length; i++)
            pixels[i] = grey[i / channels];
        return null;
    }

    private static string? FromColour(ReadOnlySpan<byte> rgba, Span<byte> pixels)
    {
        for (int from = 0, to = 0; to < pixels.Length; from += 4, to += 3)
        {
            if (rgba[from + 3] != byte.MaxValue)
                return "has transparent pixels; only opaque ones are allowed";
            rgba.Slice(from, 3).CopyTo(pixels[to..]);
        }
        return null;
    }

    private static string? ToGrey(ReadOnlySpan<byte> rgba, Span<byte> pixels)
    {
        for (int from = 0, to = 0; to < pixels.Length; from += 4, to++)
        {
            if (rgba[from + 3] != byte.MaxValue)
                return "has transparent pixels; only opaque ones are allowed";
            if (rgba[from] != rgba[from + 1] || rgba[from] != rgba[from + 2])
                return "is in colour; only shades of grey are allowed";
            pixels[to] = rgba[from];
        }
        return null;
    }
}
