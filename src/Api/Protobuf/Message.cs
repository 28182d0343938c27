using Google.Protobuf;

namespace Temper.Api.Protobuf;

/// <summary>
/// Writes messages field by field. Generated classes would need Grpc.Tools, 99 MB at each build, for a few short messages.
/// </summary>
internal static class Message
{
    public static ByteString Of(Action<CodedOutputStream> write)
    {
        var bytes = new MemoryStream();
        using (var fields = new CodedOutputStream(bytes, leaveOpen: true))
            write(fields);
        return ByteString.CopyFrom(bytes.GetBuffer(), 0, (int)bytes.Length);
    }

    /// <summary>What stands before a field of that many bytes.</summary>
    public static ByteString Start(int field, long length) =>
        Of(message =>
        {
            message.WriteTag(field, WireFormat.WireType.LengthDelimited);
            message.WriteInt64(length);
        });

    public static void Whole(this CodedOutputStream message, int field, long value)
    {
        message.WriteTag(field, WireFormat.WireType.Varint);
        message.WriteInt64(value);
    }

    public static void Number(this CodedOutputStream message, int field, float value)
    {
        message.WriteTag(field, WireFormat.WireType.Fixed32);
        message.WriteFloat(value);
    }

    public static void Number(this CodedOutputStream message, int field, double value)
    {
        message.WriteTag(field, WireFormat.WireType.Fixed64);
        message.WriteDouble(value);
    }

    public static void Text(this CodedOutputStream message, int field, string value)
    {
        message.WriteTag(field, WireFormat.WireType.LengthDelimited);
        message.WriteString(value);
    }

    /// <summary>Writes another message, or plain bytes, which look the same.</summary>
    public static void Bytes(this CodedOutputStream message, int field, ByteString value)
    {
        message.WriteTag(field, WireFormat.WireType.LengthDelimited);
        message.WriteBytes(value);
    }
}
