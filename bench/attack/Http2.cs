using System.Buffers.Binary;
using System.Text;

namespace Temper.Bench.Attack;

/// <summary>Frames of HTTP/2 (RFC 9113), and header blocks of HPACK (RFC 7541) without Huffman coding.</summary>
internal static class Http2
{
    public const byte Data = 0,
        Headers = 1,
        Reset = 3,
        Settings = 4,
        Ping = 6,
        GoAway = 7,
        WindowUpdate = 8,
        Continuation = 9;

    public const byte EndStream = 1,
        EndHeaders = 4;

    private const byte Get = 0x82,
        HttpsScheme = 0x87,
        PathName = 0x04,
        AuthorityName = 0x01;

    public const int HeaderLength = 9;

    private static readonly string[] Errors =
    [
        "NO_ERROR",
        "PROTOCOL_ERROR",
        "INTERNAL_ERROR",
        "FLOW_CONTROL_ERROR",
        "SETTINGS_TIMEOUT",
        "STREAM_CLOSED",
        "FRAME_SIZE_ERROR",
        "REFUSED_STREAM",
        "CANCEL",
        "COMPRESSION_ERROR",
        "CONNECT_ERROR",
        "ENHANCE_YOUR_CALM",
        "INADEQUATE_SECURITY",
        "HTTP_1_1_REQUIRED",
    ];

    /// <summary>The preface of a client, with empty settings.</summary>
    public static byte[] Preface => [.. "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"u8, .. Frame(Settings, 0, 0, [])];

    public static byte[] Frame(byte type, byte flags, int stream, ReadOnlySpan<byte> payload)
    {
        var frame = new byte[HeaderLength + payload.Length];
        BinaryPrimitives.WriteInt32BigEndian(frame, payload.Length << 8);
        (frame[3], frame[4]) = (type, flags);
        BinaryPrimitives.WriteInt32BigEndian(frame.AsSpan(5), stream);
        payload.CopyTo(frame.AsSpan(HeaderLength));
        return frame;
    }

    /// <summary>The header block of GET.</summary>
    /// <param name="path">At most 126 characters.</param>
    public static byte[] GetBlock(string path) =>
        [Get, HttpsScheme, PathName, (byte)path.Length, .. Encoding.ASCII.GetBytes(path), AuthorityName, 9, .. "127.0.0.1"u8];

    /// <summary>A header that the receiver does not put into its table.</summary>
    /// <param name="name">At most 126 characters.</param>
    /// <param name="value">At most 126 characters.</param>
    public static byte[] Header(string name, string value) =>
        [0, (byte)name.Length, .. Encoding.ASCII.GetBytes(name), (byte)value.Length, .. Encoding.ASCII.GetBytes(value)];

    /// <summary>Reads until the API closes the connection or sends GOAWAY.</summary>
    /// <returns>The error of GOAWAY, or "closed"; with the error of the first reset stream, if there was one before.</returns>
    public static async Task<string> EndAsync(Wire wire, CancellationToken end)
    {
        var (bytes, reset) = (new List<byte>(), "");
        while (true)
        {
            try
            {
                if (await wire.ReadAsync(end) is not { } more)
                    return $"closed{reset}";
                bytes.AddRange(more);
            }
            catch (IOException)
            {
                return $"closed{reset}";
            }
            while (bytes.Count >= HeaderLength)
            {
                var length = bytes[0] << 16 | bytes[1] << 8 | bytes[2];
                if (bytes.Count < HeaderLength + length)
                    break;
                var frame = bytes.GetRange(0, HeaderLength + length).ToArray();
                bytes.RemoveRange(0, HeaderLength + length);
                if (frame[3] == GoAway)
                    return $"GOAWAY {Error(frame.AsSpan(HeaderLength + 4))}{reset}";
                if (frame[3] == Reset && reset.Length == 0)
                    reset = $" after RST_STREAM {Error(frame.AsSpan(HeaderLength))}";
            }
        }
    }

    private static string Error(ReadOnlySpan<byte> code) =>
        BinaryPrimitives.ReadUInt32BigEndian(code) is var number && number < Errors.Length ? Errors[number] : $"{number}";
}
