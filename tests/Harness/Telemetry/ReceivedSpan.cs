using Google.Protobuf;

namespace Temper.Harness.Telemetry;

/// <summary>A span as a process sent it, with the fields that the tests read.</summary>
/// <param name="Service">service.name of the process.</param>
/// <param name="Parent">Empty for a root.</param>
/// <param name="Start">Unix time, ns.</param>
/// <param name="End">Unix time, ns.</param>
/// <param name="Tags">Texts, and numbers as texts.</param>
/// <param name="Links">Ids of the linked spans.</param>
public sealed record ReceivedSpan(
    string Service,
    string Source,
    string Name,
    string TraceId,
    string Id,
    string Parent,
    ulong Start,
    ulong End,
    IReadOnlyDictionary<string, string> Tags,
    IReadOnlyList<string> Links
)
{
    /// <summary>
    /// Reads an ExportTraceServiceRequest of the protocol OTLP. No package has generated classes for it; the numbers are those of
    /// its fields.
    /// </summary>
    public static IReadOnlyList<ReceivedSpan> Read(byte[] request)
    {
        var spans = new List<ReceivedSpan>();
        foreach (var (_, resourceSpans) in Fields(request).Where(field => field.Number == 1))
        {
            var service = Fields(resourceSpans)
                .Where(field => field.Number == 1)
                .SelectMany(resource => Attributes(resource.Value, 1))
                .Single(tag => tag.Key == "service.name")
                .Value;
            foreach (var (_, scopeSpans) in Fields(resourceSpans).Where(field => field.Number == 2))
            {
                var fields = Fields(scopeSpans).ToList();
                var source = Text(Fields(fields.Single(field => field.Number == 1).Value).Single(field => field.Number == 1).Value);
                spans.AddRange(fields.Where(field => field.Number == 2).Select(field => Span(service, source, field.Value)));
            }
        }
        return spans;
    }

    private static ReceivedSpan Span(string service, string source, byte[] span)
    {
        var fields = Fields(span).ToLookup(field => field.Number, field => field.Value);
        return new(
            service,
            source,
            Text(fields[5].Single()),
            Convert.ToHexStringLower(fields[1].Single()),
            Convert.ToHexStringLower(fields[2].Single()),
            Convert.ToHexStringLower(fields[4].SingleOrDefault() ?? []),
            BitConverter.ToUInt64(fields[7].Single()),
            BitConverter.ToUInt64(fields[8].Single()),
            Attributes(span, 9).ToDictionary(),
            [.. fields[13].Select(link => Convert.ToHexStringLower(Fields(link).Single(field => field.Number == 2).Value))]
        );
    }

    /// <summary>The attributes in a message.</summary>
    private static IEnumerable<KeyValuePair<string, string>> Attributes(byte[] message, int number) =>
        from field in Fields(message)
        where field.Number == number
        let tag = Fields(field.Value).ToLookup(one => one.Number, one => one.Value)
        select KeyValuePair.Create(Text(tag[1].Single()), Fields(tag[2].Single()).Select(Value).SingleOrDefault(""));

    /// <summary>1: text, 2: truth value, 3: whole number, 4: number; of others only that they are there.</summary>
    private static string Value((int Number, byte[] Value) any) =>
        any.Number switch
        {
            1 => Text(any.Value),
            2 or 3 => BitConverter.ToInt64(any.Value).ToString(),
            4 => BitConverter.ToDouble(any.Value).ToString(System.Globalization.CultureInfo.InvariantCulture),
            _ => "",
        };

    private static string Text(byte[] bytes) => System.Text.Encoding.UTF8.GetString(bytes);

    /// <summary>The fields of a message: texts, bytes and messages as they are, whole numbers as 8 bytes.</summary>
    private static IEnumerable<(int Number, byte[] Value)> Fields(byte[] message)
    {
        using var input = new CodedInputStream(message);
        while (input.ReadTag() is var tag && tag != 0)
            yield return (
                WireFormat.GetTagFieldNumber(tag),
                WireFormat.GetTagWireType(tag) switch
                {
                    WireFormat.WireType.LengthDelimited => input.ReadBytes().ToByteArray(),
                    WireFormat.WireType.Fixed64 => BitConverter.GetBytes(input.ReadFixed64()),
                    WireFormat.WireType.Fixed32 => BitConverter.GetBytes((ulong)input.ReadFixed32()),
                    _ => BitConverter.GetBytes(input.ReadUInt64()),
                }
            );
    }
}
