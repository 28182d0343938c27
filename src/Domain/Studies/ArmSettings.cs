using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;
using Temper.Domain.Jobs;

namespace Temper.Domain.Studies;

/// <summary>
/// The fields of the job spec that an arm takes from a study's <see cref="StudyGrid"/>, with their values. Two are equal when they
/// have the same fields with the same values.
/// </summary>
/// <param name="Text">A JSON object, such as {"batchSize":64}, whose fields are in the order of <see cref="StudyGrid"/>.</param>
[JsonConverter(typeof(Converter))]
public sealed record ArmSettings(string Text)
{
    private static readonly Dictionary<string, JsonPropertyInfo> JobFields = Serialization
        .Json.Options.GetTypeInfo(typeof(JobSpec))
        .Properties.ToDictionary(field => field.Name);

    /// <summary>Those of an arm of a study without a grid.</summary>
    public static ArmSettings None { get; } = new("{}");

    /// <returns>A field that a job spec of this build does not have; null when it has all.</returns>
    public string? UnknownField()
    {
        if (this == None)
            return null;
        using var settings = JsonDocument.Parse(Text);
        return settings.RootElement.EnumerateObject().Select(setting => setting.Name).FirstOrDefault(name => !JobFields.ContainsKey(name));
    }

    /// <summary>These values and one more.</summary>
    internal ArmSettings With(string field, object? value)
    {
        var settings = JsonNode.Parse(Text)!.AsObject();
        settings[field] = JsonSerializer.SerializeToNode(value, Serialization.Json.Options);
        return new(settings.ToJsonString());
    }

    /// <summary>The values of other fields than these.</summary>
    internal ArmSettings Without(params IEnumerable<string> fields)
    {
        var settings = JsonNode.Parse(Text)!.AsObject();
        foreach (var field in fields)
            settings.Remove(field);
        return new(settings.ToJsonString());
    }

    /// <summary>
    /// The job spec with these values. If a loss is among them, the job's settings of other losses get their defaults.
    /// </summary>
    public JobSpec On(JobSpec job)
    {
        if (this == None)
            return job;
        var changed = job with { };
        using var settings = JsonDocument.Parse(Text);
        foreach (var setting in settings.RootElement.EnumerateObject())
        {
            var field = JobFields[setting.Name];
            field.Set!(changed, setting.Value.Deserialize(field.PropertyType, Serialization.Json.Options));
        }
        return settings.RootElement.EnumerateObject().Any(setting => LossSettings.Choosing.Contains(setting.Name))
            ? LossSettings.WithoutOthers(changed)
            : changed;
    }

    /// <summary>The value of a field for people; null when the arm does not take it from the grid.</summary>
    public string? Show(string field)
    {
        using var settings = JsonDocument.Parse(Text);
        return !settings.RootElement.TryGetProperty(field, out var value) ? null
            : value.ValueKind == JsonValueKind.Null ? "none"
            : value.ToString();
    }

    /// <summary>Writes the object itself and not a text that contains it.</summary>
    private sealed class Converter : JsonConverter<ArmSettings>
    {
        public override ArmSettings Read(ref Utf8JsonReader reader, Type type, JsonSerializerOptions options)
        {
            using var settings = JsonDocument.ParseValue(ref reader);
            return new(settings.RootElement.GetRawText());
        }

        public override void Write(Utf8JsonWriter writer, ArmSettings value, JsonSerializerOptions options) =>
            writer.WriteRawValue(value.Text);
    }
}
