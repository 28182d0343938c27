using System.Net;

namespace Temper.Integration.Api;

/// <summary>The page at / with and without a dashboard.</summary>
public sealed class StartPageTests : IAsyncLifetime
{
    private TestDatabase database = null!;

    public async Task InitializeAsync() => database = await TestDatabase.CreateAsync();

    public async Task DisposeAsync() => await database.DisposeAsync();

    [Fact]
    public async Task StartPage_OfABuildWithoutDashboard_SaysSo()
    {
        var folder = Directory.CreateTempSubdirectory("temper-test-").FullName;
        foreach (var file in Directory.EnumerateFiles(TemperProcess.BuildOf("Api")))
            File.Copy(file, Path.Combine(folder, Path.GetFileName(file)));
        await using (var api = await ApiProcess.StartAsync(database.ConnectionString, folder: folder))
        {
            var response = await api.Http.GetAsync("/");

            Assert.Equal(HttpStatusCode.OK, response.StatusCode);
            Assert.Contains("Its dashboard was not built", await response.Content.ReadAsStringAsync());
            Assert.True(await api.AnswersAsync("/jobs"));
        }
        Directory.Delete(folder, recursive: true);
    }

    /// <summary>It has no data, so it needs no key, and a page that waits for the database needs it.</summary>
    [Fact]
    public async Task StartPage_WithoutAKeyAndWithoutADatabase_IsServedUnderAStrictPolicy()
    {
        await using var api = ApiProcess.Start("Host=127.0.0.1;Port=1;Username=nobody;Database=none");
        await Eventually.TrueAsync(() => api.AnswersAsync("/"));

        var response = await api.Http.GetAsync("/");

        var policy = Assert.Single(response.Headers.GetValues("Content-Security-Policy"));
        Assert.StartsWith("default-src 'none'; script-src 'self'; style-src 'self'", policy);
        Assert.DoesNotContain("unsafe", policy);
        Assert.Equal("text/html", response.Content.Headers.ContentType?.MediaType);
        Assert.Equal(HttpStatusCode.ServiceUnavailable, (await api.Http.GetAsync("/jobs")).StatusCode);
    }
}
