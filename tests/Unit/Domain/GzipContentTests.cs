using Temper.Domain;
using Temper.Harness;

namespace Temper.Unit.Domain;

public class GzipContentTests
{
    private static readonly byte[] Content = [.. Enumerable.Range(0, 100_000).Select(i => (byte)(i * i >> 8))];

    private static readonly byte[] Whole = IdxFiles.Gzip(Content);

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    [InlineData(1 << 20)]
    public void Read_AWholeFile_GivesItsContent(int pieceLength)
    {
        using var to = new MemoryStream();
        using (var content = new GzipContent(new Pieces(Whole, pieceLength)))
            content.CopyTo(to);

        Assert.Equal(Content, to.ToArray());
    }

    public static TheoryData<string, byte[]> DamagedFiles =>
        new()
        {
            { "without its trailer", Whole[..^8] },
            { "without its last byte", Whole[..^1] },
            { "half of it", Whole[..(Whole.Length / 2)] },
            { "with a byte after it", [.. Whole, 0] },
            { "with much after it", [.. Whole, .. new byte[100_000]] },
            { "with a second member", [.. Whole, .. Whole] },
            { "another CRC", [.. Whole[..^8], (byte)(Whole[^8] ^ 1), .. Whole[^7..]] },
            { "another length", [.. Whole[..^1], (byte)(Whole[^1] ^ 1)] },
        };

    [Theory]
    [MemberData(nameof(DamagedFiles))]
    public void Read_ADamagedFile_IsRefused(string what, byte[] file)
    {
        foreach (var pieceLength in new[] { 1, 1 << 20 })
        {
            using var content = new GzipContent(new Pieces(file, pieceLength));
            Assert.True(Record.Exception(() => content.CopyTo(Stream.Null)) is InvalidDataException, $"{what}, {pieceLength} at once");
        }
    }

    /// <summary>A file that gives at most so many bytes at once.</summary>
    private sealed class Pieces(byte[] file, int length) : ForwardStream
    {
        private readonly MemoryStream bytes = new(file);

        public override int Read(Span<byte> buffer) => bytes.Read(buffer[..Math.Min(buffer.Length, length)]);
    }
}
