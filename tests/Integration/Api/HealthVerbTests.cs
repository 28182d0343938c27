namespace Temper.Integration.Api;

public sealed class HealthVerbTests(ApiFixture fixture) : ApiTest(fixture)
{
    [Fact]
    public async Task Health_OfAnApiThatServes_Ends0_AndOtherwise1()
    {
        Assert.Equal(0, (await HealthAsync(Http.BaseAddress!.Port)).ExitCode);

        var without = await HealthAsync(ApiProcess.FreePort());
        Assert.Equal(1, without.ExitCode);
        Assert.Contains("refused", without.Errors);
    }

    /// <summary>The image listens on every address, for which * stands.</summary>
    private Task<CommandResult> HealthAsync(int port) =>
        ApiProcess.RunVerbAsync(Database.ConnectionString, "health", $"--urls=http://*:{port}");
}
