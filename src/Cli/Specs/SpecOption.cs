using System.CommandLine;
using System.CommandLine.Completions;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using Temper.Cli.Http;
using Temper.Domain.Serialization;

namespace Temper.Cli.Specs;

/// <summary>An option for one field of a spec; its name is that of the field: learningRate is --learning-rate.</summary>
/// <param name="Field">The field's name in JSON.</param>
internal sealed record SpecOption(string Field, Option<string[]> Option, Func<IReadOnlyList<string>, JsonNode> ToJson)
{
    /// <summary>Makes options of the fields of a spec.</summary>
    /// <param name="rules">Allowed values by field.</param>
    public static IReadOnlyList<SpecOption> Of<T>(IEnumerable<(string Field, string Allowed)> rules, Func<string, bool> wanted)
    {
        var allowed = rules.ToLookup(rule => rule.Field, rule => rule.Allowed);
        return
        [
            .. Json
                .Options.GetTypeInfo(typeof(T))
                .Properties.Where(field => field.Set is not null && wanted(field.Name))
                .Select(field => Of(field.Name, field.PropertyType, string.Join("; ", allowed[field.Name]))),
        ];
    }

    /// <summary>Sets the fields whose options were given.</summary>
    public static void Apply(IEnumerable<SpecOption> options, ParseResult parsed, JsonObject spec)
    {
        foreach (var option in options)
            if (parsed.GetResult(option.Option) is { Implicit: false })
                spec[option.Field] = option.ToJson(parsed.GetValue(option.Option) ?? []);
    }

    private static SpecOption Of(string field, Type type, string allowed)
    {
        var isList = type.IsGenericType && type.GetGenericTypeDefinition() == typeof(IReadOnlyList<>);
        var one = isList ? type.GetGenericArguments()[0] : type;
        one = Nullable.GetUnderlyingType(one) ?? one;
        var isFlag = one == typeof(bool);
        var option = new Option<string[]>($"--{JsonNamingPolicy.KebabCaseLower.ConvertName(field)}")
        {
            Description = allowed.Length == 0 ? "" : $"Must be {allowed}.",
            Arity =
                isFlag ? ArgumentArity.Zero
                : isList ? ArgumentArity.OneOrMore
                : ArgumentArity.ExactlyOne,
            AllowMultipleArgumentsPerToken = isList,
            CustomParser = given => [.. given.Tokens.Select(token => token.Value)],
            HelpName = one.IsEnum || one == typeof(string) ? "TEXT" : "NUMBER",
        };
        if (one.IsEnum)
            option.CompletionSources.Add(_ =>
                Enum.GetNames(one).Select(name => new CompletionItem(JsonNamingPolicy.CamelCase.ConvertName(name)))
            );
        var isText = one.IsEnum || one == typeof(string);
        if (!isText && !isFlag)
            option.Validators.Add(given =>
            {
                foreach (var token in given.Tokens.Where(token => NumberOrNull(token.Value) is null))
                    given.AddError($"{option.Name} must be {(allowed.Length == 0 ? "a number" : allowed)}; got {token.Value}");
            });
        return new(
            field,
            option,
            given =>
                isFlag ? JsonValue.Create(true)
                : isList ? new JsonArray([.. given.Select(Value)])
                : Value(given[^1])
        );

        JsonNode Value(string text) => isText ? JsonValue.Create(text) : NumberOrNull(text)!;
    }

    /// <summary>The number with the digits that were given, so that 0.1 stays 0.1; null when the text is no number of JSON.</summary>
    private static JsonNode? NumberOrNull(string text)
    {
        try
        {
            return double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out _) ? JsonNode.Parse(text) : null;
        }
        catch (JsonException)
        {
            return null;
        }
    }
}

/// <summary>A spec that a command posts: the JSON of a file, with the fields that options set.</summary>
internal static class SpecFile
{
    public static Argument<string?> Argument()
    {
        var file = new Argument<string?>("FILE")
        {
            Description = "A spec as JSON, such as an example of the service's Swagger UI; - reads standard input. Options set its fields.",
            Arity = ArgumentArity.ZeroOrOne,
        };
        file.Validators.Add(given =>
        {
            foreach (var token in given.Tokens.Where(token => token.Value.StartsWith("--", StringComparison.Ordinal)))
                given.AddError($"{token.Value} is not an option here.");
        });
        return file;
    }

    /// <param name="file">Null gives an empty object.</param>
    /// <exception cref="UsageException">The file is not a JSON object.</exception>
    public static async Task<JsonObject> ReadAsync(string? file, CancellationToken cancellation)
    {
        if (file is null)
            return [];
        try
        {
            var text = file == "-" ? await Console.In.ReadToEndAsync(cancellation) : await File.ReadAllTextAsync(file, cancellation);
            return JsonNode.Parse(text) as JsonObject ?? throw new UsageException($"{file} is not a JSON object.");
        }
        catch (JsonException e)
        {
            throw new UsageException($"{file} is not JSON from line {e.LineNumber + 1} on.", e);
        }
    }
}
