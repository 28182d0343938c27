using System.Buffers;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Temper.Domain.Serialization;

/// <summary>
/// JSON has no NaN and no infinity. This converter writes both as null, and reads null as NaN if the type is not nullable.
/// Without it, one such figure would make it impossible to write a whole response or a training's report.
/// </summary>
internal sealed class FiniteNumberConverter : JsonConverter<double>
{
    public override double Read(ref Utf8JsonReader reader, Type type, JsonSerializerOptions options) =>
        reader.TokenType == JsonTokenType.Null ? double.NaN : reader.GetDouble();

    public override void Write(Utf8JsonWriter writer, double value, JsonSerializerOptions options)
    {
        if (double.IsFinite(value))
            writer.WriteNumberValue(value);
        else
            writer.WriteNullValue();
    }
}

/// <summary>Reads whole numbers in any notation: 3, 3.0 and 0.3e1 are the same number in JSON.</summary>
internal static class WholeNumber
{
    private const NumberStyles Styles = NumberStyles.AllowLeadingSign | NumberStyles.AllowDecimalPoint | NumberStyles.AllowExponent;

    /// <exception cref="JsonException">The token is not a number, is not whole, or exceeds 64 bits.</exception>
    public static long Read(ref Utf8JsonReader reader) =>
        reader.TokenType == JsonTokenType.Number
        && (reader.TryGetInt64(out var value) || long.TryParse(Text(ref reader), Styles, CultureInfo.InvariantCulture, out value))
            ? value
            : throw new JsonException("Must be a whole number.");

    private static ReadOnlySpan<byte> Text(ref Utf8JsonReader reader) =>
        reader.HasValueSequence ? reader.ValueSequence.ToArray() : reader.ValueSpan;
}

/// <inheritdoc cref="WholeNumber"/>
internal sealed class Int32Converter : JsonConverter<int>
{
    public override int Read(ref Utf8JsonReader reader, Type type, JsonSerializerOptions options) =>
        WholeNumber.Read(ref reader) is >= int.MinValue and <= int.MaxValue and var value
            ? (int)value
            : throw new JsonException("Must be a whole number of 32 bits.");

    public override void Write(Utf8JsonWriter writer, int value, JsonSerializerOptions options) => writer.WriteNumberValue(value);
}

/// <inheritdoc cref="WholeNumber"/>
internal sealed class Int64Converter : JsonConverter<long>
{
    public override long Read(ref Utf8JsonReader reader, Type type, JsonSerializerOptions options) => WholeNumber.Read(ref reader);

    public override void Write(Utf8JsonWriter writer, long value, JsonSerializerOptions options) => writer.WriteNumberValue(value);
}
