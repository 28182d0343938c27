using System.Text.Json;
using System.Text.Json.Serialization.Metadata;
using System.Text.Unicode;
using Temper.Api.Arrays;
using Temper.Domain.Serialization;

namespace Temper.Api.Http;

/// <summary>Reads a JSON object field by field, so that one answer names every wrong field and its allowed values.</summary>
/// <param name="what">Name of the object in messages, such as `a job spec`.</param>
/// <param name="allowed">Gives the allowed values of a field by its name, to complete the sentence "must be …".</param>
internal sealed class SpecReader<T>(string what, Func<string, string> allowed)
    where T : class
{
    private static readonly JsonTypeInfo Type = Json.Options.GetTypeInfo(typeof(T));
    private static readonly Dictionary<string, JsonPropertyInfo> Fields = Type
        .Properties.Where(field => field.Set is not null)
        .ToDictionary(field => field.Name);

    /// <summary>Reads a field's value. It returns false when it cannot, and may then add errors that are more specific.</summary>
    public delegate bool FieldReader(JsonElement value, SpecErrors errors, out object? read);

    /// <summary>Readers of the fields whose JSON differs from the default JSON of their type.</summary>
    public IReadOnlyDictionary<string, FieldReader> Special { get; init; } = new Dictionary<string, FieldReader>();

    /// <summary>Required fields of the type that this reader allows to be absent.</summary>
    public IReadOnlyList<string> NotRequired { get; init; } = [];

    /// <summary>Gives, for what was read, an object whose fields fill those that are absent; null for none.</summary>
    public Func<T, JsonElement?> Defaults { get; init; } = _ => null;

    /// <param name="path">Prefix of field names in errors, such as `job.`.</param>
    /// <param name="given">The JSON values of the known fields, those of <see cref="Defaults"/> too.</param>
    /// <returns>The object; do not use it when there are errors. Null when the JSON is not an object, or has more
    /// than 20 wrong fields.</returns>
    public T? Read(JsonElement root, SpecErrors errors, string path, out Dictionary<string, JsonElement> given)
    {
        given = [];
        if (root.ValueKind != JsonValueKind.Object)
        {
            errors.Add(path.Length == 0 ? "body" : path.TrimEnd('.'), $"must be a JSON object, not {SpecErrors.Shown(root)}");
            return null;
        }

        var spec = (T)Type.CreateObject!();
        var wrong = 0;
        foreach (var property in root.EnumerateObject())
        {
            var name = NameOf(property);
            var fault =
                !Fields.TryGetValue(name, out var field) ? $"is not a field of {what}; its fields are {string.Join(", ", Fields.Keys)}"
                : !given.TryAdd(name, property.Value) ? "is given twice"
                : null;
            // Each has a sentence of its own: without a limit the answer could be a hundred times as long as the body.
            if (fault is not null && ++wrong > SpecErrors.MostNamed)
            {
                errors.Add(
                    path.Length == 0 ? "body" : path.TrimEnd('.'),
                    $"has more than {SpecErrors.MostNamed} fields that are unknown or given twice"
                );
                return null;
            }
            if (fault is not null)
                errors.Add(path + name, fault);
            else if (!TrySet(spec, field!, property.Value, errors) && !errors.HasWithin(path + name))
                errors.Add(path + name, $"must be {allowed(name)}; got {SpecErrors.Shown(property.Value)}");
        }
        if (Defaults(spec) is { } defaults)
            foreach (var property in defaults.EnumerateObject())
                if (given.TryAdd(property.Name, property.Value))
                    TrySet(spec, Fields[property.Name], property.Value, errors);
        foreach (var (name, field) in Fields)
            if (field.IsRequired && !given.ContainsKey(name) && !NotRequired.Contains(name))
                errors.Add(path + name, $"is required: {allowed(name)}");
        return spec;
    }

    /// <summary>
    /// Returns `body` when the name has an unpaired surrogate, such as the escape \ud800, which is not valid text.
    /// </summary>
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

    private bool TrySet(T spec, JsonPropertyInfo field, JsonElement value, SpecErrors errors)
    {
        if (value.ValueKind == JsonValueKind.Null && !field.IsSetNullable)
            return false;
        if (Special.TryGetValue(field.Name, out var read) && value.ValueKind != JsonValueKind.Null)
        {
            if (!read(value, errors, out var special))
                return false;
            field.Set!(spec, special);
            return true;
        }
        try
        {
            // Adding 0.0 turns −0 into 0. jsonb cannot store −0, and a spec must not change when it is read back.
            field.Set!(
                spec,
                value.Deserialize(field.PropertyType, Json.Options) switch
                {
                    double number => number + 0.0,
                    IReadOnlyList<double> numbers => (double[])[.. numbers.Select(number => number + 0.0)],
                    var other => other,
                }
            );
            return true;
        }
        // The last two exceptions come from an unpaired surrogate in a text.
        catch (Exception e) when (e is JsonException or InvalidOperationException or FormatException)
        {
            return false;
        }
    }
}

/// <summary>The errors of a posted spec by field, or of posted files by array, file or `body`.</summary>
internal sealed class SpecErrors
{
    /// <summary>Parts of one kind, such as the files of a zip, that an answer names at most.</summary>
    public const int MostNamed = 20;

    private readonly Dictionary<string, List<string>> byField = [];

    public void Add(string field, string message) =>
        (byField.TryGetValue(field, out var messages) ? messages : byField[field] = []).Add(message);

    /// <summary>Reads a part, and adds what is wrong with it.</summary>
    /// <returns>Null when something is wrong.</returns>
    public T? Try<T>(Func<T?> read)
        where T : class
    {
        try
        {
            return read();
        }
        catch (WrongBodyException e)
        {
            Add(e.Part, e.Sentence);
            return null;
        }
    }

    /// <inheritdoc cref="Try{T}"/>
    /// <returns>False when something is wrong.</returns>
    public bool Try(Action read) =>
        Try(() =>
        {
            read();
            return this;
        })
            is not null;

    public bool Any => byField.Count > 0;

    public int Count => byField.Count;

    public bool Has(string field) => byField.ContainsKey(field);

    /// <summary>Whether the field or one of its own fields has an error.</summary>
    public bool HasWithin(string field) =>
        byField.Keys.Any(wrong => wrong == field || wrong.StartsWith($"{field}.", StringComparison.Ordinal));

    public Dictionary<string, string[]> ByField() => byField.ToDictionary(error => error.Key, error => error.Value.ToArray());

    public static string Shown(JsonElement value) => value.GetRawText() is { Length: > 80 } text ? text[..80] + "…" : value.GetRawText();

    /// <param name="body">The body, which should be UTF-8 JSON.</param>
    /// <returns>Null when it is not; the error is then under the field that contains it, or under `body`.</returns>
    public JsonDocument? Parse(ReadOnlyMemory<byte> body)
    {
        if (!Utf8.IsValid(body.Span))
        {
            Add("body", "must be UTF-8");
            return null;
        }
        if (body.Span.Trim(" \t\r\n"u8).IsEmpty)
        {
            Add("body", "is empty; it must be a JSON object");
            return null;
        }
        try
        {
            return JsonDocument.Parse(body);
        }
        catch (JsonException e)
        {
            Add(LastFieldBefore(e, body.Span), $"is not valid JSON from line {e.LineNumber + 1}, byte {e.BytePositionInLine + 1} on");
            return null;
        }
    }

    /// <summary>Reads the body again up to the syntax error, to find the field that contains the error.</summary>
    private static string LastFieldBefore(JsonException fault, ReadOnlySpan<byte> body)
    {
        var last = "body";
        var reader = new Utf8JsonReader(body);
        try
        {
            while (reader.Read())
                if (reader is { TokenType: JsonTokenType.PropertyName, CurrentDepth: 1 })
                    last = reader.GetString()!;
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            return last;
        }
        throw fault;
    }
}
