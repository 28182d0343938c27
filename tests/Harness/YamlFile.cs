using System.Text.Json.Nodes;
using YamlDotNet.Core;
using YamlDotNet.Serialization;

namespace Temper.Harness;

/// <summary>Reads the repository's YAML files.</summary>
public static class YamlFile
{
    /// <param name="path">Relative to the folder of Service.sln.</param>
    /// <returns>The documents of the file, with anchors and merge keys resolved and every scalar as a string.</returns>
    public static JsonNode[] Read(params string[] path)
    {
        using var reader = File.OpenText(Path.Combine([TemperProcess.Repository, .. path]));
        var yaml = new MergingParser(new Parser(reader));
        var deserializer = new DeserializerBuilder().Build();
        var documents = new List<JsonNode>();
        yaml.Consume<YamlDotNet.Core.Events.StreamStart>();
        while (!yaml.Accept<YamlDotNet.Core.Events.StreamEnd>(out _))
            documents.Add(ToJson(deserializer.Deserialize(yaml))!);
        return [.. documents];
    }

    private static JsonNode? ToJson(object? value) =>
        value switch
        {
            null => null,
            IDictionary<object, object> map => new JsonObject(map.Select(pair => KeyValuePair.Create($"{pair.Key}", ToJson(pair.Value)))),
            IEnumerable<object> list => new JsonArray([.. list.Select(ToJson)]),
            _ => JsonValue.Create(value.ToString()),
        };
}
