using System.Text.Json;

namespace Temper.Domain.Serialization;

/// <summary>The JSON format of the domain's records, which jsonb columns, HTTP and the runner's pipe share.</summary>
public static class Json
{
    public static JsonSerializerOptions Options { get; } = Frozen(Configure(new JsonSerializerOptions()));

    public static JsonSerializerOptions Configure(JsonSerializerOptions options)
    {
        options.PropertyNamingPolicy = JsonNamingPolicy.CamelCase;
        options.RespectNullableAnnotations = true;
        options.RespectRequiredConstructorParameters = true;
        options.Converters.Add(new ExactEnumConverter());
        options.Converters.Add(new FiniteNumberConverter());
        options.Converters.Add(new Int32Converter());
        options.Converters.Add(new Int64Converter());
        return options;
    }

    private static JsonSerializerOptions Frozen(JsonSerializerOptions options)
    {
        options.MakeReadOnly(populateMissingResolver: true);
        return options;
    }

    /// <summary>An enum's value as JSON writes it, without the quotes.</summary>
    public static string Name<T>(T value)
        where T : struct, Enum => JsonNamingPolicy.CamelCase.ConvertName(value.ToString());

    public static string Write<T>(T value) => JsonSerializer.Serialize(value, Options);

    /// <exception cref="JsonException">The text is not JSON, is null, or does not match the type.</exception>
    public static T Read<T>(string json) =>
        JsonSerializer.Deserialize<T>(json, Options) ?? throw new JsonException($"null is not a {typeof(T).Name}.");
}
