using Microsoft.AspNetCore.Http.HttpResults;

namespace Temper.Api.Http;

/// <summary>
/// A file without a name, in the folder of temporary files. It is gone when it is closed, and when the process dies.
/// </summary>
internal static class TemporaryFile
{
    private const int BufferLength = 64 << 10,
        RetryAfterSeconds = 30;

    /// <summary>Linux's ENOSPC and EDQUOT.</summary>
    private const int NoSpace = 28,
        QuotaExceeded = 122;

    public static FileStream Create()
    {
        var path = Path.Combine(Path.GetTempPath(), $"temper-upload-{Guid.NewGuid():N}");
        var file = new FileStream(path, FileMode.CreateNew, FileAccess.ReadWrite, FileShare.Delete, BufferLength, FileOptions.Asynchronous);
        File.Delete(path); // Linux keeps the content until the file is closed
        return file;
    }

    public static bool IsFullDisk(IOException e) => e.HResult is NoSpace or QuotaExceeded;

    public static ProblemHttpResult NoRoom(HttpContext context) =>
        Problems.TryLater(
            context,
            RetryAfterSeconds,
            StatusCodes.Status503ServiceUnavailable,
            "There is no room for the files.",
            "The API cannot write temporary files; their disk may be full. Try again later."
        );
}
