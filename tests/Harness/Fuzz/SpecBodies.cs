using System.Text;
using Temper.Domain;

namespace Temper.Harness.Fuzz;

/// <summary>Bodies for POST: valid specs, and specs with broken fields, text or bytes.</summary>
internal static class SpecBodies
{
    private static readonly string[] Fields =
    [
        "dataset",
        "epsilon",
        "epochs",
        "smoothing",
        "loss",
        "gamma",
        "gammaSchedule",
        "beta",
        "margin",
        "weight",
        "mixup",
        "recipe",
        "dropout",
        "corruptions",
        "model",
        "batchSize",
        "optimizer",
        "learningRate",
        "weightDecay",
        "schedule",
        "seed",
        "validationFraction",
        "keep",
        "labelNoise",
        "device",
        "priority",
        "maxAttempts",
        "timeoutSeconds",
        "name",
        "notify",
        "tags",
        "Dataset",
        "",
        "__proto__",
        "$type",
        "ε",
        "\\u0000",
        "\\ud800",
    ];

    /// <summary>
    /// A job that trains for a moment, ahead of other jobs, so that the routes of a finished job have data to show.
    /// </summary>
    public static byte[] Small(SplitMix64 random) =>
        Encoding.UTF8.GetBytes(
            $$"""{"dataset":"mnist","epsilon":0.{{random.NextInt32(9)}},"epochs":1,"device":"cpu","priority":"""
                + """1,"timeoutSeconds":60,"maxAttempts":3,"tags":["fuzz"]}"""
        );

    public static byte[] Broken(SplitMix64 random)
    {
        var text = BrokenFields(random);
        // Most bodies stay valid JSON, because the parser rejects others before it reads their fields.
        if (random.NextInt32(3) == 0)
            text = BrokenText(text, random);
        return BrokenBytes(text, random);
    }

    /// <summary>
    /// A mutant may be a valid spec. It then asks for a device that does not exist, waits behind every other job, and would run
    /// for at most 5 s.
    /// </summary>
    private static string BrokenFields(SplitMix64 random)
    {
        List<(string Name, string Value)> fields =
        [
            ("dataset", "\"mnist\""),
            ("epsilon", "0.1"),
            ("epochs", "1"),
            ("device", "\"cuda\""),
            ("priority", "-1000"),
            ("timeoutSeconds", "5"),
            ("maxAttempts", "1"),
            ("tags", "[\"fuzz\"]"),
        ];
        for (var i = random.NextInt32(4); i > 0; i--)
            switch (random.NextInt32(4))
            {
                case 0 when fields.Count > 0:
                    fields.RemoveAt(random.NextInt32(fields.Count));
                    break;
                case 1 when fields.Count > 0:
                    var changed = random.NextInt32(fields.Count);
                    fields[changed] = (fields[changed].Name, Rubbish.JsonValue(random));
                    break;
                default:
                    var name = Fields[random.NextInt32(Fields.Length)];
                    if (random.NextInt32(5) > 0)
                        fields.RemoveAll(field => field.Name == name); // otherwise the field occurs twice
                    fields.Insert(random.NextInt32(fields.Count + 1), (name, Rubbish.JsonValue(random)));
                    break;
            }
        return $"{{{string.Join(',', fields.Select(field => $"\"{field.Name}\":{field.Value}"))}}}";
    }

    private static string BrokenText(string text, SplitMix64 random) =>
        random.NextInt32(9) switch
        {
            0 => text[..random.NextInt32(text.Length + 1)],
            1 => text.Remove(Math.Min(random.NextInt32(text.Length + 1), Math.Max(0, text.Length - 1)), Math.Min(1, text.Length)),
            2 => text.Insert(random.NextInt32(text.Length + 1), Rubbish.Text(random)),
            3 => $"[{text}]",
            4 => text + text,
            5 => Rubbish.JsonValue(random),
            6 => text + new string(' ', (64 << 10) - random.NextInt32(3) + random.NextInt32(2) * 100_000),
            7 => text.Replace("\"", "'"),
            _ => text,
        };

    private static byte[] BrokenBytes(string text, SplitMix64 random)
    {
        switch (random.NextInt32(24))
        {
            case 0:
                return [0xEF, 0xBB, 0xBF, .. Encoding.UTF8.GetBytes(text)];
            case 1:
                return Encoding.Unicode.GetBytes(text);
            case 2:
                return Encoding.Latin1.GetBytes(text);
            case 3:
                var bytes = Encoding.UTF8.GetBytes(text);
                for (var i = 1 + random.NextInt32(4); i > 0 && bytes.Length > 0; i--)
                    bytes[random.NextInt32(bytes.Length)] = (byte)random.NextInt32(256);
                return bytes;
            case 4:
                return [.. Enumerable.Range(0, random.NextInt32(2000)).Select(_ => (byte)random.NextInt32(256))];
            default:
                return Encoding.UTF8.GetBytes(text);
        }
    }
}
