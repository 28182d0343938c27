using Temper.Domain;

namespace Temper.Worker.Datasets;

/// <summary>Reads files that are packed by gzip or not.</summary>
internal static class UnpackedFile
{
    /// <returns>The content, checked to its end when it is packed.</returns>
    /// <exception cref="IOException">The file cannot be read.</exception>
    public static Stream Open(string path, out bool isPacked)
    {
        var file = File.OpenRead(path);
        Span<byte> start = stackalloc byte[2];
        isPacked = file.Read(start) == start.Length && GzipContent.IsGzip(start);
        file.Position = 0;
        return isPacked ? new GzipContent(file) : file;
    }
}
