using Npgsql;
using Temper.Store;

namespace Temper.Api.Http;

/// <summary>
/// After a restart of PostgreSQL every pooled connection is broken. A request that fails on one clears the pools and runs again on a
/// new connection.
/// </summary>
internal sealed class Reconnection(params NpgsqlDataSource[] pools)
{
    private static readonly object Begun = new(),
        Writing = new(),
        Repeating = new();

    /// <summary>
    /// Waits before each further try. Npgsql clears a pool at once where another request is clearing it, so a second try may get a
    /// broken connection too.
    /// </summary>
    private static readonly TimeSpan[] Waits = [TimeSpan.Zero, TimeSpan.FromMilliseconds(50), TimeSpan.FromMilliseconds(200)];

    /// <summary>Marks the request as not repeatable. Call it before a write that is not idempotent.</summary>
    public static void BeginUnrepeatableWrite(HttpContext context) => context.Items[Writing] = true;

    /// <summary>Whether an earlier try of the request began its endpoint. It may have taken effect before its connection broke.</summary>
    public static bool IsRepetition(HttpContext context) => context.Items.ContainsKey(Repeating);

    /// <summary>Endpoint filter. Reads, guarded updates and submissions with an Idempotency-Key can be repeated.</summary>
    public ValueTask<object?> FilterAsync(EndpointFilterInvocationContext context, EndpointFilterDelegate next) =>
        new(AgainAsync(() => next(context).AsTask(), () => MayRepeat(context.HttpContext)));

    /// <summary>Endpoint filter, after those that only read: what follows may take effect.</summary>
    public static ValueTask<object?> BeginAsync(EndpointFilterInvocationContext context, EndpointFilterDelegate next)
    {
        context.HttpContext.Items[Begun] = true;
        return next(context);
    }

    private static bool MayRepeat(HttpContext context)
    {
        if (context.Items.ContainsKey(Begun))
            context.Items[Repeating] = true;
        return !context.Items.ContainsKey(Writing);
    }

    /// <param name="mayRepeat">Called after a broken connection; it says whether to repeat the work. Null: always repeat.</param>
    public async Task<T> AgainAsync<T>(Func<Task<T>> work, Func<bool>? mayRepeat = null)
    {
        for (var tried = 0; ; tried++)
            try
            {
                return await work();
            }
            catch (Exception e) when (tried < Waits.Length && Outage.IsBrokenConnection(e) && mayRepeat?.Invoke() != false)
            {
                foreach (var pool in pools)
                    pool.Clear();
                await Task.Delay(Waits[tried]);
            }
    }
}
