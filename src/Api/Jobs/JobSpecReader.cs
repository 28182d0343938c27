using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using System.Text.Unicode;
using Temper.Domain.Jobs;
using Temper.Store;

namespace Temper.Api.Jobs;

/// <summary>Reads a job spec field by field, so that one answer names every wrong field and what it may hold.</summary>
internal static class JobSpecReader
{
    private static readonly JsonTypeInfo SpecType = Json.Options.GetTypeInfo(typeof(JobSpec));
    private static readonly Dictionary<string, JsonPropertyInfo> Fields = SpecType.Properties.ToDictionary(field => field.Name);

    /// <param name="body">UTF-8 JSON.</param>
    /// <param name="errors">By field; empty when the spec can be trained. Trouble with the JSON itself is under the field it was found in, or `body`.</param>
    public static JobSpec? Read(ReadOnlyMemory<byte> body, out Dictionary<string, string[]> errors)
    {
        var found = new Errors();
        if (!Utf8.IsValid(body.Span))
        {
            errors = new() { ["body"] = ["must be UTF-8"] };
            return null;
        }
        var spec = Parse(body, found) is { } document ? Read(document.RootElement, found) : null;
        errors = found.ByField();
        return errors.Count == 0 ? spec : null;
    }

    private static JsonDocument? Parse(ReadOnlyMemory<byte> body, Errors errors)
    {
        try
        {
            return JsonDocument.Parse(body);
        }
        catch (JsonException e)
        {
            errors.Add(LastFieldBefore(e, body.Span), $"is not valid JSON from line {e.LineNumber + 1}, byte {e.BytePositionInLine + 1} on");
            return null;
        }
    }

    private static JobSpec? Read(JsonElement root, Errors errors)
    {
        if (root.ValueKind != JsonValueKind.Object)
        {
            errors.Add("body", $"must be a JSON object, not {Shown(root)}");
            return null;
        }

        var spec = (JobSpec)SpecType.CreateObject!();
        var given = new HashSet<string>();
        var values = new Dictionary<string, JsonElement>();
        foreach (var property in root.EnumerateObject())
        {
            var name = NameOf(property);
            values[name] = property.Value;
            if (!Fields.TryGetValue(name, out var field)) errors.Add(name, $"is not a field of a job spec; its fields are {string.Join(", ", Fields.Keys)}");
            else if (!given.Add(name)) errors.Add(name, "is given twice");
            else if (!TrySet(spec, field, property.Value)) errors.Add(name, $"must be {Allowed(name)}; got {Shown(property.Value)}");
        }
        foreach (var field in Fields.Values.Where(field => field.IsRequired && !given.Contains(field.Name)))
            errors.Add(field.Name, $"is required: {Allowed(field.Name)}");

        foreach (var rule in JobSpecRule.BrokenBy(spec).Where(rule => !errors.Has(rule.Field)))
            errors.Add(rule.Field, $"must be {rule.Allowed}; got {Shown(values[rule.Field])}");
        return spec;
    }

    /// <summary>An escape such as \ud800 stands for half a character, which no text can hold.</summary>
    private static string NameOf(JsonProperty property)
    {
        try
        {
            return property.Name;
        }
        catch (InvalidOperationException)
        {
            return "body";
        }
    }

    private static bool TrySet(JobSpec spec, JsonPropertyInfo field, JsonElement value)
    {
        if (value.ValueKind == JsonValueKind.Null && !field.IsSetNullable) return false;
        try
        {
            var given = value.Deserialize(field.PropertyType, Json.Options);
            field.Set!(spec, given is 0.0 ? 0.0 : given); // jsonb knows no −0, and the same spec must read the same from there
            return true;
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or FormatException) // the latter two: half a surrogate pair in a text
        {
            return false;
        }
    }

    /// <summary>The first rule of a field names what it may hold at all; later ones narrow it.</summary>
    private static string Allowed(string field) => JobSpecRule.All.First(rule => rule.Field == field).Allowed;

    private static string Shown(JsonElement value) => value.GetRawText() is { Length: > 80 } text ? text[..80] + "…" : value.GetRawText();

    /// <summary>Reads up to the fault once more, to tell in which field it lies.</summary>
    private static string LastFieldBefore(JsonException fault, ReadOnlySpan<byte> body)
    {
        var last = "body";
        var reader = new Utf8JsonReader(body);
        try
        {
            while (reader.Read())
                if (reader is { TokenType: JsonTokenType.PropertyName, CurrentDepth: 1 }) last = reader.GetString()!;
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            return last;
        }
        throw fault;
    }

    private sealed class Errors
    {
        private readonly Dictionary<string, List<string>> byField = [];

        public void Add(string field, string message) =>
            (byField.TryGetValue(field, out var messages) ? messages : byField[field] = []).Add(message);

        public bool Has(string field) => byField.ContainsKey(field);

        public Dictionary<string, string[]> ByField() => byField.ToDictionary(error => error.Key, error => error.Value.ToArray());
    }
}
