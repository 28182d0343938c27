using System.Diagnostics;

namespace Temper.Harness;

/// <summary>Waits for something that another process will make true.</summary>
public static class Eventually
{
    /// <returns>The first value that <paramref name="wanted"/> accepts.</returns>
    /// <exception cref="TimeoutException">No such value came in time.</exception>
    public static async Task<T> ValueAsync<T>(Func<Task<T>> get, Func<T, bool> wanted, TimeSpan? limit = null)
    {
        T value = default!;
        await TrueAsync(async () => wanted(value = await get()), limit);
        return value;
    }

    /// <exception cref="TimeoutException">The condition did not become true in time.</exception>
    public static async Task TrueAsync(Func<Task<bool>> condition, TimeSpan? limit = null, string? what = null)
    {
        var start = Stopwatch.GetTimestamp();
        while (!await condition())
        {
            var waited = Stopwatch.GetElapsedTime(start);
            if (waited > (limit ?? TimeSpan.FromSeconds(30)))
                throw new TimeoutException(what ?? "It did not become true in time.");
            // The pause grows with the time waited so far: each look takes CPU time from what the test waits for.
            await Task.Delay(TimeSpan.FromMilliseconds(Math.Clamp(waited.TotalMilliseconds / 20, 20, 200)));
        }
    }
}
