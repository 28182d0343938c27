using System.Globalization;
using System.Text;
using System.Text.Json;
using Temper.Api.Arrays;

namespace Temper.Api.Predict;

/// <summary>
/// Reads `{"images": [[[0, 255, …], …], …]}`: N×H×W numbers for grey images, or N×H×W×3 for colour (×1 for grey). It builds no tree
/// of the document, which would take fifty times its size.
/// </summary>
internal static class JsonImages
{
    /// <summary>images, rows, pixels and channels, and the object around them.</summary>
    private const int Deepest = 6;

    private const int LongestShown = 20;

    /// <exception cref="WrongBodyException">It is something else, or an image has another size than the model's.</exception>
    public static void Read(ReadOnlySpan<byte> body, ImageBatch batch)
    {
        if (body.StartsWith("\uFEFF"u8)) // a byte order mark
            body = body[3..];
        try
        {
            var json = new Utf8JsonReader(body, new JsonReaderOptions { MaxDepth = Deepest });
            Require(
                json.Read() && json.TokenType == JsonTokenType.StartObject,
                WrongBodyException.Whole,
                "must be an object with the field images"
            );
            json.Read();
            if (json.TokenType == JsonTokenType.PropertyName && !json.ValueTextEquals("images"))
                throw new WrongBodyException(WrongBodyException.Shown(json.GetString()!), "is not a field here; known is images");
            Require(json.TokenType == JsonTokenType.PropertyName, "images", "is required");
            json.Read();
            Require(json.TokenType == JsonTokenType.StartArray, "images", "must be an array of images");
            var image = new byte[3 * batch.Shape.Height * batch.Shape.Width];
            while (json.Read() && json.TokenType != JsonTokenType.EndArray)
                batch.Add(image, ReadImage(ref json, image, batch));
            json.Read();
            if (json.TokenType == JsonTokenType.PropertyName)
                throw new WrongBodyException(
                    WrongBodyException.Shown(json.GetString()!),
                    "is not a field here, or is given twice; known is images"
                );
            json.Read(); // throws when something follows
        }
        catch (JsonException e)
        {
            throw new WrongBodyException(WrongBodyException.Whole, $"is not valid JSON: {e.Message}");
        }
        catch (InvalidOperationException) // a name that is no text
        {
            throw new WrongBodyException(WrongBodyException.Whole, "is not valid JSON: a name is no valid UTF-8");
        }
    }

    /// <returns>The number of channels: that of the first pixel, which the others must have too.</returns>
    private static int ReadImage(ref Utf8JsonReader json, byte[] image, ImageBatch batch)
    {
        var (name, shape) = (batch.Next, batch.Shape);
        var expected =
            $"must have {batch.Expected}: {shape.Height} rows of {shape.Width} whole numbers from 0 to 255"
            + (shape.Channels == 3 ? ", or of [red, green, blue]" : "");
        Require(json.TokenType == JsonTokenType.StartArray, name, expected);
        int? channels = null;
        var at = 0;
        for (var row = 0; row < shape.Height; row++)
        {
            Require(json.Read() && json.TokenType == JsonTokenType.StartArray, name, $"{expected}; it has {row} rows");
            for (var column = 0; column < shape.Width; column++)
            {
                Require(json.Read() && json.TokenType != JsonTokenType.EndArray, name, $"{expected}; row {row} has {column}");
                var found = ReadPixel(ref json, image.AsSpan(at), name);
                Require(found == (channels ??= found) && found is 1 or 3, name, $"{expected}; a pixel of row {row} has {found} numbers");
                at += found;
            }
            Require(json.Read() && json.TokenType == JsonTokenType.EndArray, name, $"{expected}; row {row} has more");
        }
        Require(json.Read() && json.TokenType == JsonTokenType.EndArray, name, $"{expected}; it has more rows");
        return channels!.Value; // there is at least one pixel
    }

    /// <returns>How many numbers the pixel has; 4 for more than 3.</returns>
    private static int ReadPixel(ref Utf8JsonReader json, Span<byte> pixel, string name)
    {
        if (json.TokenType != JsonTokenType.StartArray)
        {
            pixel[0] = Number(ref json, name);
            return 1;
        }
        var count = 0;
        for (; json.Read() && json.TokenType != JsonTokenType.EndArray && count < 3; count++)
            pixel[count] = Number(ref json, name);
        return json.TokenType == JsonTokenType.EndArray ? count : 4;
    }

    private static byte Number(ref Utf8JsonReader json, string name)
    {
        if (
            json.TokenType == JsonTokenType.Number
            // 3, 3.0 and 0.3e1 are the same number in JSON.
            && (
                json.TryGetByte(out var value) || byte.TryParse(json.ValueSpan, NumberStyles.Float, CultureInfo.InvariantCulture, out value)
            )
        )
            return value;
        var found = json.TokenType == JsonTokenType.Number ? Encoding.ASCII.GetString(json.ValueSpan) : "something else";
        throw new WrongBodyException(
            name,
            $"must have whole numbers from 0 to 255; it has {found[..Math.Min(found.Length, LongestShown)]}"
        );
    }

    private static void Require(bool holds, string part, string sentence)
    {
        if (!holds)
            throw new WrongBodyException(part, sentence);
    }
}
