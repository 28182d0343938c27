using System.Diagnostics;
using System.Net;

namespace Temper.Integration.Api;

/// <summary>Runs `Temper.Api keys` beside an API.</summary>
public class KeyCommandTests
{
    [Fact]
    public async Task Keys_MadeAndRevokedOnADatabaseWithoutTables_OpenTheApiUntilThen()
    {
        await using var database = await TestDatabase.CreateEmptyAsync();

        var (made, key, note) = await RunAsync(
            database,
            "create",
            "--name",
            "first",
            "--tenant",
            "default",
            "--scopes",
            "admin",
            "--expires",
            "90d"
        );

        Assert.Equal(0, made);
        Assert.Matches("^tmp_[A-Za-z0-9_-]{43}\n$", key);
        await using var api = await ApiProcess.StartAsync(database.ConnectionString);
        Assert.Equal(HttpStatusCode.OK, await StatusAsync());
        var (_, list, _) = await RunAsync(database, "list");
        Assert.Matches($"^[0-9a-f-]{{36}}\t{key[..12]}\tdefault\tfirst\tadmin\tuntil [0-9-]{{10}} [0-9:]{{5}}Z\n$", list);
        Assert.Contains(list[..36], note);
        Assert.Equal(1, (await RunAsync(database, "create", "--name", "first", "--tenant", "default", "--scopes", "read")).Code);

        Assert.Equal(0, (await RunAsync(database, "revoke", list[..36])).Code);

        Assert.Equal(HttpStatusCode.Unauthorized, await StatusAsync());
        Assert.Equal(1, (await RunAsync(database, "revoke", $"{Guid.NewGuid()}")).Code);
        Assert.Equal(
            $"createKey 201, revokeKey 200 by command line of default at {Environment.MachineName}: {list[..36]}",
            await database.ScalarAsync<string>(
                """
                SELECT string_agg(action || ' ' || status, ', ' ORDER BY id) || ' by ' || actor || ' of ' || tenant || ' at ' || address
                       || ': ' || target
                FROM audit GROUP BY actor, tenant, address, target
                """
            )
        );

        async Task<HttpStatusCode> StatusAsync() =>
            (
                await api.Http.SendAsync(new(HttpMethod.Get, "/jobs") { Headers = { Authorization = new("Bearer", key.TrimEnd()) } })
            ).StatusCode;
    }

    [Theory]
    [InlineData("--scopes must be", "create", "--name", "a", "--tenant", "b", "--scopes", "write")]
    [InlineData("--name must be", "create", "--tenant", "b", "--scopes", "read")]
    [InlineData("keys revoke ID", "create", "--nmae", "a")]
    [InlineData("keys revoke ID", "revoke", "a")]
    [InlineData("keys revoke ID")]
    public async Task Keys_WithWrongOptions_SaysWhatIsRight(string message, params string[] arguments)
    {
        await using var database = await TestDatabase.CreateEmptyAsync();

        var (code, output, errors) = await RunAsync(database, arguments);

        Assert.Equal((2, ""), (code, output));
        Assert.Contains(message, errors);
    }

    [Fact]
    public async Task Keys_WhoseAuditCannotBeWritten_AreUnchanged()
    {
        await using var database = await TestDatabase.CreateAsync();
        await database.ExecuteAsync("ALTER TABLE audit ADD CHECK (action <> 'createKey')");

        var (code, output, errors) = await RunAsync(database, "create", "--name", "a", "--tenant", "b", "--scopes", "read");

        Assert.Equal((1, ""), (code, output));
        Assert.Contains("audit", errors);
        Assert.Equal(0, await database.ScalarAsync<long>("SELECT count(*) FROM keys"));
    }

    private static async Task<(int Code, string Output, string Errors)> RunAsync(TestDatabase database, params string[] arguments)
    {
        var start = new ProcessStartInfo(Path.Combine(TemperProcess.BuildOf("Api"), "Temper.Api"), ["keys", .. arguments])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        start.Environment["ConnectionStrings__Temper"] = database.ConnectionString;
        using var process = Process.Start(start)!;
        var (output, errors) = (process.StandardOutput.ReadToEndAsync(), process.StandardError.ReadToEndAsync());
        await process.WaitForExitAsync();
        return (process.ExitCode, await output, await errors);
    }
}
