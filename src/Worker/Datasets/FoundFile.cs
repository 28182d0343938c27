namespace Temper.Worker.Datasets;

/// <summary>A data set's file on this machine. Another size or time means that someone replaced it.</summary>
/// <param name="WrittenAt">Time of the last write, UTC.</param>
internal sealed record FoundFile(string Path, long Length, DateTime WrittenAt)
{
    /// <returns>Null if there is no such file.</returns>
    public static FoundFile? At(string path)
    {
        var file = new FileInfo(path);
        // For a link, use the size and time of its target.
        if (file.Exists && file.ResolveLinkTarget(returnFinalTarget: true) is FileInfo target)
            file = target;
        return file.Exists ? new(path, file.Length, file.LastWriteTimeUtc) : null;
    }
}
