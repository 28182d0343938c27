namespace Temper.Api.Http;

/// <summary>
/// A file without a name, in the folder of temporary files. It is gone when it is closed, and when the process dies.
/// </summary>
internal static class TemporaryFile
{
    private const int BufferLength = 64 << 10;

    public static FileStream Create()
    {
        var path = Path.Combine(Path.GetTempPath(), $"temper-upload-{Guid.NewGuid():N}");
        var file = new FileStream(path, FileMode.CreateNew, FileAccess.ReadWrite, FileShare.Delete, BufferLength, FileOptions.Asynchronous);
        File.Delete(path); // Linux keeps the content until the file is closed
        return file;
    }
}
