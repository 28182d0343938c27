namespace Temper.Worker.Supervisor;

/// <summary>
/// Touches <see cref="WorkerOptions.AliveFile"/>. The file shows that the process still runs code: a worker listens on no port, and
/// while the database is away its heartbeats do not show it.
/// </summary>
internal sealed class AliveFile(WorkerOptions options, ILogger<AliveFile> log) : BackgroundService
{
    private static readonly TimeSpan Oldest = TimeSpan.FromSeconds(30);

    public TimeSpan Interval { private get; init; } = TimeSpan.FromSeconds(5);

    /// <returns>False also when there is no file, or none is set.</returns>
    public static bool IsFresh(string? path) => File.Exists(path) && DateTime.UtcNow - File.GetLastWriteTimeUtc(path) < Oldest;

    protected override async Task ExecuteAsync(CancellationToken stopping)
    {
        if (options.AliveFile is not { } path)
            return;
        using var timer = new PeriodicTimer(Interval);
        string? failure = null;
        do
        {
            try
            {
                await File.WriteAllBytesAsync(path, [], stopping);
                failure = null;
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                // The file grows old, and the health check fails. The worker's jobs go on.
                if (e.Message != failure)
                    log.LogWarning("The worker's alive file cannot be written: {Reason}", e.Message);
                failure = e.Message;
            }
        } while (await timer.WaitForNextTickAsync(stopping));
    }
}
