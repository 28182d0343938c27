using System.IO.Compression;
using System.IO.Hashing;
using Temper.Domain;

namespace Temper.Api.Arrays;

/// <summary>The unpacked bytes of a member, in order. After the last one it checks the CRC.</summary>
/// <param name="name">The array, for the refusal.</param>
internal sealed class NpzStream(string name, Stream file, ZipMember member) : IDisposable
{
    private readonly Stream unpacked = member.IsDeflated
        ? new DeflateStream(new Packed(file, member), CompressionMode.Decompress)
        : new Packed(file, member);
    private readonly Crc32 crc = new();
    private long left = member.Size;

    /// <summary>Fills the buffer.</summary>
    /// <exception cref="WrongBodyException">The member is truncated or damaged.</exception>
    public void Read(Span<byte> buffer)
    {
        if (buffer.Length > left || Unpack(buffer) < buffer.Length)
            throw new WrongBodyException(name, "is truncated");
        crc.Append(buffer);
        left -= buffer.Length;
        if (left > 0)
            return;
        if (Unpack(stackalloc byte[1]) > 0)
            throw new WrongBodyException(name, "unpacks to more bytes than the zip directory says");
        if (crc.GetCurrentHashAsUInt32() != member.Crc)
            throw new WrongBodyException(name, "is damaged: its CRC-32 is not that of the zip directory");
    }

    public void Dispose() => unpacked.Dispose();

    private int Unpack(Span<byte> buffer)
    {
        try
        {
            return unpacked.ReadAtLeast(buffer, buffer.Length, throwOnEndOfStream: false);
        }
        catch (InvalidDataException)
        {
            throw new WrongBodyException(name, "is damaged or truncated: it cannot be unpacked");
        }
    }

    /// <summary>The packed bytes of a member.</summary>
    private sealed class Packed(Stream file, ZipMember member) : ForwardStream
    {
        private long done;

        public override int Read(Span<byte> buffer)
        {
            file.Position = member.Start + done;
            var read = file.Read(buffer[..(int)Math.Min(buffer.Length, member.Packed - done)]);
            done += read;
            return read;
        }
    }
}
