using Temper.Harness.Fuzz;

namespace Temper.Integration.Api;

/// <summary>
/// Valid and broken requests to every operation by two tenants. Each answer is judged by the OpenAPI document, and shows nothing of
/// the other tenant.
/// </summary>
public sealed class FuzzTests : IAsyncLifetime
{
    private const int Requests = 1500;

    private TestDatabase database = null!;
    private ApiProcess api = null!;

    public async Task InitializeAsync()
    {
        database = await TestDatabase.CreateAsync();
        api = await ApiProcess.StartAsync(database.ConnectionString, FuzzTenant.Settings);
    }

    public async Task DisposeAsync()
    {
        await api.DisposeAsync();
        await database.DisposeAsync();
    }

    [Fact]
    public async Task Requests_OfTwoTenants_GetOnlyWhatTheDocumentAllowsAndNothingOfEachOther()
    {
        var seed = Random.Shared.NextInt64();
        FuzzTenant[] tenants = [await FuzzTenant.CreateAsync(database, api, "zebra"), await FuzzTenant.CreateAsync(database, api, "okapi")];
        using var fuzzer = await TenantFuzzer.CreateAsync(seed, api.Http.BaseAddress!, tenants);

        var uncovered = await fuzzer.CoverAsync();
        await fuzzer.RunAsync(Requests);

        Assert.True(fuzzer.Faults.Count == 0, $"Seed {seed}, {fuzzer.Report()}");
        Assert.True(uncovered.Count == 0, $"Seed {seed}: never succeeded: {string.Join(", ", uncovered)}");
        Assert.All(
            tenants,
            tenant => Assert.All(new[] { "jobs", "studies", "evaluations", "datasets" }, kind => Assert.NotEmpty(tenant.Known(kind)))
        );
    }
}
