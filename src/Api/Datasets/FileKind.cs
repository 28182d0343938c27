using Temper.Domain;

namespace Temper.Api.Datasets;

/// <summary>Tells files by their first bytes.</summary>
internal static class FileKind
{
    public static bool IsZip(ReadOnlySpan<byte> start) => start is [(byte)'P', (byte)'K', 3 or 5, 4 or 6, ..];

    public static bool IsIdx(ReadOnlySpan<byte> start) => start is [0, 0, 8, 1 or 3, ..];

    public static bool IsKnown(ReadOnlySpan<byte> start) => IsZip(start) || GzipContent.IsGzip(start) || IsIdx(start);
}
