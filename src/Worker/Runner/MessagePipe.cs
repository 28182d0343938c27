using System.Buffers;
using System.Buffers.Text;
using System.IO.Pipelines;
using System.Text.Json;
using System.Text.Json.Serialization;
using Temper.Store;

namespace Temper.Worker.Runner;

/// <summary>What goes through the pipes between supervisor and runner.</summary>
internal abstract record PipeMessage
{
    /// <summary>Millions of bytes, which travel raw behind the message's line; null where it has none.</summary>
    [JsonIgnore]
    public byte[]? Checkpoint { get; set; }
}

/// <summary>Writes messages: a line with the number of raw bytes that follow it, a space, and a JSON object; then those bytes.</summary>
internal sealed class MessageWriter<T>(Stream pipe) where T : PipeMessage
{
    public void Write(T message)
    {
        var line = new ArrayBufferWriter<byte>();
        Utf8Formatter.TryFormat(message.Checkpoint?.Length ?? 0, line.GetSpan(16), out var digits);
        line.Advance(digits);
        line.Write(" "u8);
        using (var json = new Utf8JsonWriter(line)) JsonSerializer.Serialize(json, message, Json.Options);
        line.Write("\n"u8);
        pipe.Write(line.WrittenSpan);
        if (message.Checkpoint is not null) pipe.Write(message.Checkpoint);
        pipe.Flush();
    }
}

/// <summary>Reads what <see cref="MessageWriter{T}"/> wrote.</summary>
internal sealed class MessageReader<T>(Stream pipe) where T : PipeMessage
{
    private const int LongestLine = 256 << 20, LargestCheckpoint = 1 << 30;

    private readonly PipeReader reader = PipeReader.Create(pipe, new StreamPipeReaderOptions(bufferSize: 1 << 16));

    /// <returns>Null at the end of the pipe.</returns>
    /// <exception cref="InvalidDataException">There is something else on the pipe.</exception>
    public async Task<T?> ReadAsync()
    {
        while (true)
        {
            var read = await reader.ReadAsync();
            if (read.Buffer.PositionOf((byte)'\n') is { } end)
            {
                var message = Parse(read.Buffer.Slice(0, end).ToArray(), out var attached);
                reader.AdvanceTo(read.Buffer.GetPosition(1, end));
                if (attached == 0) return message;
                message.Checkpoint = new byte[attached];
                await reader.AsStream(leaveOpen: true).ReadExactlyAsync(message.Checkpoint);
                return message;
            }
            if (read.IsCompleted) return null;
            if (read.Buffer.Length > LongestLine) throw new InvalidDataException("a line without an end");
            reader.AdvanceTo(read.Buffer.Start, read.Buffer.End);
        }
    }

    private static T Parse(ReadOnlySpan<byte> line, out int attached)
    {
        if (!Utf8Parser.TryParse(line, out attached, out var digits) || attached is < 0 or > LargestCheckpoint || digits >= line.Length || line[digits] != ' ') throw Unreadable(line, null);
        try
        {
            return JsonSerializer.Deserialize<T>(line[(digits + 1)..], Json.Options) ?? throw Unreadable(line, null);
        }
        catch (Exception e) when (e is JsonException or NotSupportedException) // the latter: an object of no known kind
        {
            throw Unreadable(line, e);
        }
    }

    private static InvalidDataException Unreadable(ReadOnlySpan<byte> line, Exception? cause) =>
        new(System.Text.Encoding.UTF8.GetString(line[..Math.Min(line.Length, 200)]), cause);
}
