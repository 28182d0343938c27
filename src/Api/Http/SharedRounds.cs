namespace Temper.Api.Http;

/// <summary>
/// One statement for many requests. While one runs, new requests wait and share the next, so many requests cost few statements and
/// one connection. Each statement begins after all its requests have arrived, so its result is as fresh as one of their own.
/// </summary>
/// <param name="ask">Runs the statement for all that its requests ask for; the same item may come more than once.</param>
internal sealed class SharedRounds<TItem, TResult>(Func<IReadOnlyList<TItem>, Task<TResult>> ask)
{
    private readonly Lock gate = new();
    private Round? next;
    private bool isAsking;

    /// <returns>The result for the items of all requests that share the statement.</returns>
    public Task<TResult> AskAsync(params ReadOnlySpan<TItem> items)
    {
        lock (gate)
        {
            var round = next ??= new();
            round.Items.AddRange(items);
            if (!isAsking)
            {
                isAsking = true;
                using (ExecutionContext.SuppressFlow())
                    _ = Task.Run(RunAsync); // the task outlives the request that starts it
            }
            return round.Result.Task;
        }
    }

    /// <summary>Runs one statement after another until no request waits.</summary>
    private async Task RunAsync()
    {
        while (true)
        {
            await Task.Yield(); // requests that already wait for a thread can join this round
            if (Next() is not { } round)
                return;
            try
            {
                round.Result.SetResult(await ask(round.Items));
            }
            catch (Exception e)
            {
                // The requests that arrived during the statement fail too: they would wait as long for the same error. A retry joins
                // a new round.
                var waiting = Waiting();
                round.Result.SetException(e);
                waiting?.Result.SetException(e);
            }
        }
    }

    private Round? Next()
    {
        lock (gate)
        {
            var round = Waiting();
            isAsking = round is not null;
            return round;
        }
    }

    /// <returns>The round that waits for the next statement; null when no request waits.</returns>
    private Round? Waiting()
    {
        lock (gate)
        {
            var round = next;
            next = null;
            return round;
        }
    }

    private sealed class Round
    {
        public List<TItem> Items { get; } = [];

        public TaskCompletionSource<TResult> Result { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);
    }
}
