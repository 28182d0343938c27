using System.Collections.Concurrent;

namespace Temper.Harness;

/// <summary>
/// A database and an API that serves it. Tests use it one after another, because the start of an API takes seconds of CPU time.
/// </summary>
public sealed class ServedDatabase
{
    private static readonly ConcurrentBag<ServedDatabase> Free = [];

    static ServedDatabase() =>
        AppDomain.CurrentDomain.ProcessExit += (_, _) => Task.WhenAll(Free.Select(served => served.EndAsync())).GetAwaiter().GetResult();

    private ServedDatabase(TestDatabase database, ApiProcess api) => (Database, Api) = (database, api);

    public TestDatabase Database { get; }

    public ApiProcess Api { get; }

    /// <returns>One with empty tables that nothing else uses.</returns>
    public static async Task<ServedDatabase> TakeAsync()
    {
        if (Free.TryTake(out var free))
            return free;
        var database = await TestDatabase.CreateAsync();
        return new(database, await ApiProcess.StartAsync(database.ConnectionString));
    }

    /// <summary>
    /// Keeps it for the next user if this one left the schema as it was and the API ready. Else it ends the API and drops the
    /// database.
    /// </summary>
    public async Task GiveBackAsync()
    {
        var reusable = false;
        try
        {
            Api.AssertPrintedNoSecret();
            reusable = !Api.HasExited && await Database.EmptyAsync() && await Api.AnswersAsync("/health/ready");
        }
        finally
        {
            if (reusable)
                Free.Add(this);
            else
                await EndAsync();
        }
    }

    private async Task EndAsync()
    {
        try
        {
            await Api.DisposeAsync();
        }
        finally
        {
            await Database.DisposeAsync();
        }
    }
}
