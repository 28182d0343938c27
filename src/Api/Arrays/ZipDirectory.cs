using System.Buffers.Binary;
using System.Text;

namespace Temper.Api.Arrays;

/// <summary>The limits of a zip file. They are checked before anything is unpacked.</summary>
/// <param name="Members">Largest number of members.</param>
/// <param name="MemberBytes">Largest unpacked size of a member.</param>
/// <param name="TotalBytes">Largest unpacked size of all members together.</param>
/// <param name="Ratio">Largest unpacked size ÷ packed size of a member above 32 MiB. Deflate reaches 1032 at most.</param>
internal sealed record ZipBounds(int Members, long MemberBytes, long TotalBytes, int Ratio = 1032)
{
    /// <summary>Sorted labels of 4,000,000 images have 32 MB and pack to a thousandth.</summary>
    private const long SmallBytes = 32 << 20;

    /// <param name="size">Unpacked size in bytes.</param>
    /// <param name="packed">Packed size in bytes.</param>
    public bool Allows(long size, long packed) => size <= SmallBytes || size / Ratio <= packed;
}

/// <summary>A file in a zip file. No two members share bytes, and each lies within the file.</summary>
/// <param name="Name">The name as the file has it: any text, also a path or `..`. Never use it as a path.</param>
/// <param name="Start">Position of its first packed byte.</param>
/// <param name="Packed">Packed size in bytes.</param>
/// <param name="Size">Unpacked size in bytes, as the directory has it.</param>
/// <param name="Crc">CRC-32 of the unpacked bytes, as the directory has it.</param>
internal sealed record ZipMember(string Name, bool IsDeflated, long Start, long Packed, long Size, uint Crc);

/// <summary>
/// Reads the central directory of a zip file that nobody vouches for. ZipArchive would create an object for every entry before
/// they could be counted, and checks neither overlaps nor CRCs.
/// </summary>
/// <remarks>https://pkware.cachefly.net/webdocs/casestudies/APPNOTE.TXT, sections 4.3 and 4.5.3</remarks>
internal sealed class ZipDirectory
{
    private const int EndLength = 22,
        LocatorLength = 20,
        End64Length = 56,
        EntryLength = 46,
        LocalLength = 30,
        LongestComment = ushort.MaxValue,
        LongestName = 255;

    private const long LongestDirectory = 32 << 20;

    private const uint EndMark = 0x06054b50,
        LocatorMark = 0x07064b50,
        End64Mark = 0x06064b50,
        EntryMark = 0x02014b50,
        LocalMark = 0x04034b50;

    private const ushort Stored = 0,
        Deflated = 8,
        Encrypted = 1;

    private readonly Stream file;
    private readonly long length;

    private ZipDirectory(Stream file) => (this.file, length) = (file, file.Length);

    /// <param name="file">A seekable stream.</param>
    /// <exception cref="WrongBodyException">The file is no zip file of stored and deflated members, or exceeds the bounds.</exception>
    public static IReadOnlyList<ZipMember> Read(Stream file, ZipBounds bounds, CancellationToken cancellation) =>
        new ZipDirectory(file).Read(bounds, cancellation);

    private List<ZipMember> Read(ZipBounds bounds, CancellationToken cancellation)
    {
        var (count, start, end) = FindDirectory();
        if (count > (ulong)bounds.Members)
            throw Wrong($"has {count} members; the most are {bounds.Members}");
        if (end - start > LongestDirectory)
            throw Wrong($"has a directory of {end - start} bytes; the longest have {LongestDirectory}");
        var (members, position, total) = (new List<ZipMember>(), start, 0L);
        for (var i = 0UL; i < count; i++)
        {
            cancellation.ThrowIfCancellationRequested();
            if (position > end - EntryLength)
                throw Damaged("its directory has fewer entries than it says");
            var member = ReadEntry(ref position, start, bounds);
            if ((total += member.Size) > bounds.TotalBytes)
                throw Wrong($"unpacks to more than {bounds.TotalBytes} bytes, the most that is read");
            members.Add(member);
        }
        if (position != end)
            throw Damaged("its directory has another length than it says");
        RefuseOverlaps(members);
        return members;
    }

    /// <returns>The number of entries, and the positions of the directory's first byte and of the byte after it.</returns>
    private (ulong Count, long Start, long End) FindDirectory()
    {
        var position = FindEnd();
        var end = Bytes(position, EndLength);
        ulong count = Word(end, 10),
            size = Double(end, 12),
            start = Double(end, 16);
        var isSplit = Word(end, 4) != 0 || Word(end, 6) != 0 || Word(end, 8) != count;
        // Python adds the zip64 part to files above 2 GiB, whose numbers fit the ordinary part as well.
        if (position >= LocatorLength && Bytes(position - LocatorLength, LocatorLength) is var locator && Double(locator, 0) == LocatorMark)
        {
            position = Offset(Quad(locator, 8));
            var end64 = Bytes(position, End64Length);
            if (Double(end64, 0) != End64Mark)
                throw Damaged("the zip64 part of its directory is missing");
            (count, size, start) = (Quad(end64, 32), Quad(end64, 40), Quad(end64, 48));
            isSplit = Double(end64, 16) != 0 || Double(end64, 20) != 0 || Quad(end64, 24) != count;
        }
        if (isSplit)
            throw Wrong("is one part of a split zip file");
        if (start > (ulong)position || size != (ulong)position - start)
            throw Damaged("its directory is not where it says");
        return (count, (long)start, position);
    }

    /// <summary>Finds the record at the end of the file, which only a comment may follow.</summary>
    private long FindEnd()
    {
        var tail = Bytes(Math.Max(0, length - EndLength - LongestComment), (int)Math.Min(length, EndLength + LongestComment));
        for (var i = tail.Length - EndLength; i >= 0; i--)
            if (Double(tail, i) == EndMark && i + EndLength + Word(tail, i + 20) == tail.Length)
                return length - tail.Length + i;
        throw Wrong("must be an npz or zip file; it has no zip directory at its end, so it is something else or truncated");
    }

    private ZipMember ReadEntry(ref long position, long directory, ZipBounds bounds)
    {
        var entry = Bytes(position, EntryLength);
        if (Double(entry, 0) != EntryMark)
            throw Damaged("its directory has fewer entries than it says");
        int nameLength = Word(entry, 28),
            extraLength = Word(entry, 30);
        if (nameLength > LongestName)
            throw Wrong($"has a name of {nameLength} bytes; the longest have {LongestName}");
        var name = Encoding.UTF8.GetString(Bytes(position + EntryLength, nameLength));
        var extra = Bytes(position + EntryLength + nameLength, extraLength);
        position += EntryLength + nameLength + extraLength + Word(entry, 32);

        var shown = WrongBodyException.Shown(name);
        ulong size = Double(entry, 24),
            packed = Double(entry, 20),
            local = Double(entry, 42);
        ReadZip64(extra, shown, ref size, ref packed, ref local);
        if ((Word(entry, 8) & Encrypted) != 0)
            throw Wrong($"has an encrypted member, {shown}");
        var method = Word(entry, 10);
        if (method is not (Stored or Deflated))
            throw Wrong($"has a member that is neither stored nor deflated, {shown}");
        if (size > (ulong)bounds.MemberBytes)
            throw Wrong($"has a member of {size} bytes, {shown}; the largest have {bounds.MemberBytes}");
        if (method == Stored && packed != size)
            throw Damaged($"its stored member {shown} has two sizes");
        if (!bounds.Allows((long)size, (long)Math.Min(packed, long.MaxValue)))
            throw Wrong($"has a member that unpacks to more than {bounds.Ratio} times its size, {shown}");
        var start = StartOf(Offset(local), nameLength, shown);
        if (packed > (ulong)Math.Max(0, directory - start))
            throw Damaged($"its member {shown} is truncated");
        return new(name, method == Deflated, start, (long)packed, (long)size, Double(entry, 16));
    }

    /// <summary>Takes the sizes and the offset that do not fit 32 bits from the extra field.</summary>
    private static void ReadZip64(ReadOnlySpan<byte> extra, string shown, ref ulong size, ref ulong packed, ref ulong local)
    {
        const int Id = 1;
        if (size != uint.MaxValue && packed != uint.MaxValue && local != uint.MaxValue)
            return;
        while (extra.Length >= 4)
        {
            var (id, count) = (Word(extra, 0), Word(extra, 2));
            if (count > extra.Length - 4)
                break;
            var field = extra.Slice(4, count);
            extra = extra[(4 + count)..];
            if (id != Id)
                continue;
            if (Take(ref field, ref size) && Take(ref field, ref packed) && Take(ref field, ref local))
                return;
            break;
        }
        throw Damaged($"the sizes of its member {shown} are missing");

        static bool Take(ref ReadOnlySpan<byte> field, ref ulong value)
        {
            if (value != uint.MaxValue)
                return true;
            if (field.Length < 8)
                return false;
            value = Quad(field, 0);
            field = field[8..];
            return true;
        }
    }

    /// <summary>Reads the header before a member. Its sizes may be missing or wrong; those of the directory count.</summary>
    private long StartOf(long header, int nameLength, string shown)
    {
        var local = Bytes(header, LocalLength);
        if (Double(local, 0) != LocalMark || Word(local, 26) != nameLength)
            throw Damaged($"its member {shown} is not where the directory says");
        return header + LocalLength + nameLength + Word(local, 28);
    }

    /// <summary>A small file whose members share bytes can unpack to terabytes.</summary>
    private static void RefuseOverlaps(List<ZipMember> members)
    {
        var end = 0L;
        foreach (var member in members.OrderBy(member => member.Start))
        {
            if (member.Start < end)
                throw Damaged("two of its members share bytes");
            end = member.Start + member.Packed;
        }
    }

    private byte[] Bytes(long position, int count)
    {
        if (position > length - count)
            throw Damaged("it ends too early");
        var bytes = new byte[count];
        file.Position = position;
        file.ReadExactly(bytes);
        return bytes;
    }

    private long Offset(ulong offset) => offset <= (ulong)length ? (long)offset : throw Damaged("it ends too early");

    private static ushort Word(ReadOnlySpan<byte> bytes, int at) => BinaryPrimitives.ReadUInt16LittleEndian(bytes[at..]);

    private static uint Double(ReadOnlySpan<byte> bytes, int at) => BinaryPrimitives.ReadUInt32LittleEndian(bytes[at..]);

    private static ulong Quad(ReadOnlySpan<byte> bytes, int at) => BinaryPrimitives.ReadUInt64LittleEndian(bytes[at..]);

    private static WrongBodyException Damaged(string how) => Wrong($"is no valid zip file: {how}");

    private static WrongBodyException Wrong(string sentence) => new(WrongBodyException.Whole, sentence);
}
