using System.Text.Json;
using System.Text.Json.Serialization;
using Temper.Domain.Serialization;

namespace Temper.Worker.Messages;

/// <summary>
/// Keeps the byte arrays of a message out of its JSON, which would encode them as text. The JSON has an array's index in
/// <see cref="Items"/> instead.
/// </summary>
internal sealed class ArraysAside : JsonConverter<byte[]>
{
    public ArraysAside() => Options = new(Json.Options) { Converters = { this } };

    public List<byte[]> Items { get; } = [];

    /// <summary>The options to write or read one message with.</summary>
    public JsonSerializerOptions Options { get; }

    public override void Write(Utf8JsonWriter writer, byte[] value, JsonSerializerOptions options)
    {
        writer.WriteNumberValue(Items.Count);
        Items.Add(value);
    }

    public override byte[] Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
        reader.TryGetInt32(out var index) && index >= 0 && index < Items.Count
            ? Items[index]
            : throw new JsonException($"There is no array {index}.");
}
