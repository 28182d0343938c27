using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;

namespace Temper.Worker.Messages;

/// <summary>
/// A message between supervisor and runner. On the pipe a message is a header of int32 (a mark, the length of the JSON, the
/// number of arrays, the length of each array), then the JSON, then the arrays. The byte arrays of a message, such as weights,
/// are sent as raw bytes; the JSON has the index of each.
/// </summary>
internal abstract record PipeMessage
{
    /// <summary>Every message begins with this mark, so that the reader notices foreign output on the pipe at once.</summary>
    internal const int Mark = 0x5AE9_B37C;

    /// <summary>Bytes of a piece of a message. Each piece that moves counts as a sign of life.</summary>
    internal const int PieceBytes = 1 << 20;

    /// <summary>A reader refuses a longer array.</summary>
    internal const int LongestArray = 1 << 30;
}

/// <summary>Writes messages, one at a time.</summary>
/// <param name="moved">Called whenever the other side has taken a piece of a message.</param>
internal sealed class MessageWriter<T>(Stream pipe, Action? moved = null)
    where T : PipeMessage
{
    private readonly ArraysAside arrays = new();

    /// <exception cref="IOException">The other side is gone.</exception>
    public void Write(T message)
    {
        arrays.Items.Clear();
        var json = JsonSerializer.SerializeToUtf8Bytes(message, arrays.Options);
        int[] header = [PipeMessage.Mark, json.Length, arrays.Items.Count, .. arrays.Items.Select(array => array.Length)];
        pipe.Write([.. MemoryMarshal.AsBytes<int>(header), .. json]);
        foreach (var array in arrays.Items)
            for (var start = 0; start < array.Length; start += PipeMessage.PieceBytes)
            {
                pipe.Write(array.AsSpan(start, Math.Min(PipeMessage.PieceBytes, array.Length - start)));
                moved?.Invoke();
            }
        pipe.Flush();
        arrays.Items.Clear(); // the arrays may be a hundred megabytes
    }
}

/// <summary>Reads what <see cref="MessageWriter{T}"/> wrote, one message at a time.</summary>
/// <param name="moved">Called whenever a piece of a message has arrived.</param>
internal sealed class MessageReader<T>(Stream pipe, Action? moved = null)
    where T : PipeMessage
{
    private const int LongestJson = 16 << 20,
        MostArrays = 100;

    private readonly ArraysAside arrays = new();

    /// <returns>Null at the end of the pipe.</returns>
    /// <exception cref="InvalidDataException">The pipe has something other than a message.</exception>
    /// <exception cref="EndOfStreamException">The pipe ends within a message.</exception>
    public async Task<T?> ReadAsync()
    {
        var mark = new byte[sizeof(int)];
        if (await pipe.ReadAsync(mark.AsMemory(0, 1)) == 0)
            return null;
        await FillAsync(mark.AsMemory(1));
        if (MemoryMarshal.Read<int>(mark) != PipeMessage.Mark)
            throw new InvalidDataException($"it begins with the bytes {Convert.ToHexString(mark)}");

        var lengths = await ReadIntsAsync(2);
        if (lengths[0] is < 0 or > LongestJson || lengths[1] is < 0 or > MostArrays)
            throw new InvalidDataException($"it announces {lengths[0]} bytes of JSON and {lengths[1]} arrays");
        var arrayLengths = await ReadIntsAsync(lengths[1]);
        if (arrayLengths.FirstOrDefault(length => length is < 0 or > PipeMessage.LongestArray) is not 0 and var wrong)
            throw new InvalidDataException($"it announces an array of {wrong} bytes");
        if (arrayLengths.Sum(length => (long)length) is > PipeMessage.LongestArray and var sum)
            throw new InvalidDataException($"it announces arrays of {sum} bytes");

        var json = new byte[lengths[0]];
        await FillAsync(json);
        arrays.Items.Clear();
        foreach (var length in arrayLengths)
        {
            arrays.Items.Add(new byte[length]);
            await FillAsync(arrays.Items[^1]);
        }
        return Parse(json);
    }

    private T Parse(byte[] json)
    {
        try
        {
            return JsonSerializer.Deserialize<T>(json, arrays.Options) ?? throw new JsonException("null");
        }
        catch (Exception e) when (e is JsonException or NotSupportedException) // or: an object of unknown type
        {
            throw new InvalidDataException(Encoding.UTF8.GetString(json.AsSpan(0, Math.Min(json.Length, 200))), e);
        }
        finally
        {
            arrays.Items.Clear();
        }
    }

    private async Task<int[]> ReadIntsAsync(int count)
    {
        var bytes = new byte[count * sizeof(int)];
        await FillAsync(bytes);
        return MemoryMarshal.Cast<byte, int>(bytes).ToArray();
    }

    private async Task FillAsync(Memory<byte> bytes)
    {
        while (bytes.Length > 0)
        {
            var read = await pipe.ReadAsync(bytes[..Math.Min(bytes.Length, PipeMessage.PieceBytes)]);
            if (read == 0)
                throw new EndOfStreamException("The pipe ended within a message.");
            moved?.Invoke();
            bytes = bytes[read..];
        }
    }
}
