using System.Diagnostics;

namespace Temper.Worker.Datasets;

/// <summary>Lets one process at a time do something; the system gives the turn up when its process dies.</summary>
internal static class FileLock
{
    /// <summary>Linux' EWOULDBLOCK: another process has the lock.</summary>
    private const int WouldBlock = 11;

    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(100);

    /// <param name="path">Made, and deleted in the end.</param>
    /// <param name="waits">Called about once a second while another has the turn.</param>
    /// <returns>To be disposed when the next may have it.</returns>
    /// <exception cref="IOException">The file cannot be made.</exception>
    public static FileStream Take(string path, Action waits, CancellationToken stop)
    {
        long? told = null;
        while (true)
        {
            try
            {
                return new(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None, bufferSize: 0, FileOptions.DeleteOnClose);
            }
            catch (IOException e) when (e.HResult == WouldBlock) { }
            if (told is null || Stopwatch.GetElapsedTime(told.Value).TotalSeconds >= 1)
            {
                waits();
                told = Stopwatch.GetTimestamp();
            }
            stop.WaitHandle.WaitOne(Interval);
            stop.ThrowIfCancellationRequested();
        }
    }
}
