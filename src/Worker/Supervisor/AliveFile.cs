namespace Temper.Worker.Supervisor;

/// <summary>
/// Touches <see cref="WorkerOptions.AliveFile"/>. The file shows that the process still runs code: a worker listens on no port, and
/// while the database is away its heartbeats do not show it.
/// </summary>
internal sealed class AliveFile(WorkerOptions options) : BackgroundService
{
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(5),
        Oldest = TimeSpan.FromSeconds(30);

    /// <returns>False also when there is no file, or none is set.</returns>
    public static bool IsFresh(string? path) => File.Exists(path) && DateTime.UtcNow - File.GetLastWriteTimeUtc(path) < Oldest;

    protected override async Task ExecuteAsync(CancellationToken stopping)
    {
        if (options.AliveFile is not { } path)
            return;
        using var timer = new PeriodicTimer(Interval);
        do await File.WriteAllBytesAsync(path, [], stopping);
        while (await timer.WaitForNextTickAsync(stopping));
    }
}
