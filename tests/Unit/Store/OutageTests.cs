using Npgsql;
using Temper.Store;

namespace Temper.Unit.Store;

public class OutageTests
{
    /// <summary>Npgsql gives up the first connection of a pool with a TimeoutException that nothing wraps.</summary>
    [Fact]
    public void Behind_ATimeoutAlone_IsAnOutageAndNoBrokenConnection()
    {
        var timeout = new TimeoutException("The operation has timed out.");

        Assert.Equal(timeout.Message, Outage.Behind(timeout)!.Message);
        Assert.NotNull(Outage.Behind(new InvalidOperationException("EF Core wraps it.", timeout)));
        Assert.False(Outage.IsBrokenConnection(timeout));
    }

    [Fact]
    public void Behind_AnErrorOfTheStatement_IsNoOutage() =>
        Assert.Null(Outage.Behind(new PostgresException("no such table", "ERROR", "ERROR", PostgresErrorCodes.UndefinedTable)));
}
