using Microsoft.Playwright;

namespace Temper.Browser;

/// <summary>An API, a worker and a browser for all tests of the collection.</summary>
public sealed class ServiceFixture : IAsyncLifetime
{
    private readonly Uri address = new($"http://127.0.0.1:{ApiProcess.FreePort()}");
    private readonly string home = Directory.CreateTempSubdirectory("temper-test-").FullName;
    private IPlaywright playwright = null!;
    private WorkerProcess worker = null!;

    public TestDatabase Database { get; private set; } = null!;

    public ApiProcess Api { get; private set; } = null!;

    public IBrowser Browser { get; private set; } = null!;

    public async Task InitializeAsync()
    {
        Database = await TestDatabase.CreateAsync();
        await StartApiAsync();
        worker = await WorkerProcess.StartOfOneThreadAsync(Database.ConnectionString, home, ("Worker__Slots", "2"));
        playwright = await Playwright.CreateAsync();
        Browser = await Chromium.LaunchAsync(playwright);
    }

    /// <summary>Starts the API at the address that it has had before.</summary>
    public async Task StartApiAsync() => Api = await ApiProcess.StartAsync(Database.ConnectionString, address: address);

    public async Task DisposeAsync()
    {
        await Browser.DisposeAsync();
        playwright.Dispose();
        await worker.DisposeAsync();
        await Api.DisposeAsync();
        await Database.DisposeAsync();
        Directory.Delete(home, recursive: true);
    }
}

[CollectionDefinition(Name)]
public sealed class ServiceCollection : ICollectionFixture<ServiceFixture>
{
    public const string Name = "service";
}
