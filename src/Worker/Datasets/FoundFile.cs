namespace Temper.Worker.Datasets;

/// <summary>A file of a data set that is here. Another size or time means that it was replaced.</summary>
/// <param name="WrittenAt">UTC.</param>
internal sealed record FoundFile(string Path, long Length, DateTime WrittenAt)
{
    /// <returns>Null where there is none.</returns>
    public static FoundFile? At(string path)
    {
        var file = new FileInfo(path);
        // Of a link the size and time of what it leads to count.
        if (file.Exists && file.ResolveLinkTarget(returnFinalTarget: true) is FileInfo target)
            file = target;
        return file.Exists ? new(path, file.Length, file.LastWriteTimeUtc) : null;
    }
}
