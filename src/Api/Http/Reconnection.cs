using Npgsql;
using Temper.Store;

namespace Temper.Api.Http;

/// <summary>
/// When PostgreSQL has restarted, each pooled connection is found broken by the request that takes it. That request is carried out once
/// more on a fresh connection, and all others of the pools are given up.
/// </summary>
internal sealed class Reconnection(params NpgsqlDataSource[] pools)
{
    private static readonly object Writing = new(),
        Repeating = new();

    /// <summary>To be called before a write that would be done twice if it were repeated.</summary>
    public static void BeginUnrepeatableWrite(HttpContext context) => context.Items[Writing] = true;

    /// <summary>Whether the first try of this request may have been carried out before its connection broke.</summary>
    public static bool IsRepetition(HttpContext context) => context.Items.ContainsKey(Repeating);

    /// <summary>An endpoint's filter. Reads, guarded updates and submissions with a key can all be repeated.</summary>
    public ValueTask<object?> FilterAsync(EndpointFilterInvocationContext context, EndpointFilterDelegate next) =>
        new(OnceMoreAsync(() => next(context).AsTask(), () => MayRepeat(context.HttpContext)));

    private static bool MayRepeat(HttpContext context)
    {
        context.Items[Repeating] = true;
        return !context.Items.ContainsKey(Writing);
    }

    /// <param name="mayRepeat">Asked after a failure; always when null.</param>
    public async Task<T> OnceMoreAsync<T>(Func<Task<T>> work, Func<bool>? mayRepeat = null)
    {
        try
        {
            return await work();
        }
        catch (Exception e) when (Outage.IsBrokenConnection(e) && mayRepeat?.Invoke() != false)
        {
            foreach (var pool in pools)
                pool.Clear();
            return await work();
        }
    }
}
