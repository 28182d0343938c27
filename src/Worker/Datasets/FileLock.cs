using System.Diagnostics;

namespace Temper.Worker.Datasets;

/// <summary>A lock between processes. The system releases it when its process dies.</summary>
internal static class FileLock
{
    /// <summary>Linux's EWOULDBLOCK: another process holds the lock.</summary>
    private const int WouldBlock = 11;

    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(100);

    /// <param name="path">
    /// The lock file. It is created and stays: if it were deleted, one process could lock the deleted file and another a new one.
    /// </param>
    /// <param name="waits">Called about once a second while another process holds the lock.</param>
    /// <returns>The lock. Dispose it to release it.</returns>
    /// <exception cref="IOException">The lock file cannot be created.</exception>
    public static FileStream Take(string path, Action waits, CancellationToken stop)
    {
        long? told = null;
        while (true)
        {
            if (TryTake(path) is { } taken)
                return taken;
            if (told is null || Stopwatch.GetElapsedTime(told.Value).TotalSeconds >= 1)
            {
                waits();
                told = Stopwatch.GetTimestamp();
            }
            stop.WaitHandle.WaitOne(Interval);
            stop.ThrowIfCancellationRequested();
        }
    }

    /// <returns>Null while another process, or another slot of this one, holds the lock.</returns>
    /// <exception cref="IOException">The lock file cannot be created.</exception>
    public static FileStream? TryTake(string path)
    {
        try
        {
            return new(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None, bufferSize: 0);
        }
        catch (IOException e) when (e.HResult == WouldBlock)
        {
            return null;
        }
    }
}
