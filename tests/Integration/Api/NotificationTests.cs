using System.Net;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using Temper.Store.Notifications;

namespace Temper.Integration.Api;

/// <summary>An API whose settings allow two addresses.</summary>
public sealed class NotifyingApi : IAsyncLifetime
{
    public TestDatabase Database { get; private set; } = null!;

    public ApiProcess Api { get; private set; } = null!;

    public async Task InitializeAsync()
    {
        Database = await TestDatabase.CreateAsync();
        Api = await ApiProcess.StartAsync(
            Database.ConnectionString,
            new Dictionary<string, string?>
            {
                ["Notifications__Allowed__0"] = "https://hooks.example/temper",
                ["Notifications__Allowed__1"] = "http://127.0.0.1:9/",
            }
        );
    }

    public async Task DisposeAsync()
    {
        await Api.DisposeAsync();
        await Database.DisposeAsync();
    }
}

public class NotificationTests(NotifyingApi notifying) : IClassFixture<NotifyingApi>
{
    private const string Address = "https://hooks.example/temper/runs";

    [Theory]
    [InlineData("/jobs", """{"dataset":"digits","epsilon":7,"epochs":1,"notify":"https://hooks.example/other"}""", "epsilon notify")]
    [InlineData("/jobs", """{"dataset":"digits","epsilon":0,"epochs":1,"notify":"https://evil.example/"}""", "notify")]
    [InlineData("/jobs", """{"dataset":"digits","epsilon":0,"epochs":1,"notify":"http://hooks.example/temper"}""", "notify")]
    [InlineData("/jobs", """{"dataset":"digits","epsilon":0,"epochs":1,"notify":7}""", "notify")]
    [InlineData(
        "/studies",
        """{"job":{"dataset":"digits","epochs":1,"notify":"https://evil.example/"},"notify":"https://evil.example/"}""",
        "job.notify notify"
    )]
    public async Task Submit_WithAnAddressThatIsNotAllowed_Is400AndNamesTheAllowed(string path, string json, string fields)
    {
        var answer = await notifying.Api.Http.PostAsync(path, new StringContent(json, null, "application/json"));

        Assert.Equal(HttpStatusCode.BadRequest, answer.StatusCode);
        var errors = JsonNode.Parse(await answer.Content.ReadAsStringAsync())!["errors"]!.AsObject();
        Assert.Equal(fields, string.Join(" ", errors.Select(error => error.Key).Order()));
        if (!json.Contains("\"notify\":7"))
            Assert.Contains("at https://hooks.example/temper or http://127.0.0.1:9/", errors["notify"]!.ToJsonString());
    }

    [Fact]
    public async Task Notifications_OfAJob_AreListedAndGoWithIt()
    {
        var id = await notifying.Api.SubmitAsync(
            new
            {
                dataset = "digits",
                epsilon = 0,
                epochs = 1,
                notify = Address,
            }
        );
        var job = await notifying.Api.GetAsync($"/jobs/{id}");
        Assert.Empty(await ItemsAsync(job["links"]!["notifications"]!.GetValue<string>()));
        await notifying.Api.Http.PostAsync($"/jobs/{id}/cancel", null);
        var queue = new NotificationQueue(notifying.Database.DataSource);
        var notification = Assert.Single(await queue.CollectAsync(default));
        var attempt = (await queue.BeginAsync(notification, TimeSpan.FromSeconds(10), default))!;
        await queue.EndAsync(attempt, new(500, "The receiver answered 500.", TimeSpan.FromSeconds(0.25)), TimeSpan.FromSeconds(5), default);

        var item = Assert.Single(await ItemsAsync($"/jobs/{id}/notifications"))!;

        Assert.Equal(
            ($"msg_{notification:N}", "job.cancelled", Address, "pending"),
            (Text(item, "id"), Text(item, "type"), Text(item, "address"), Text(item, "state"))
        );
        var shown = Assert.Single(item["attempts"]!.AsArray())!;
        Assert.Equal(
            (1, 500, 0.25, "The receiver answered 500."),
            (
                shown["attempt"]!.GetValue<int>(),
                shown["status"]!.GetValue<int>(),
                shown["seconds"]!.GetValue<double>(),
                Text(shown, "error")
            )
        );
        Assert.Equal(HttpStatusCode.NoContent, (await notifying.Api.Http.DeleteAsync($"/jobs/{id}")).StatusCode);
        Assert.Equal(HttpStatusCode.NotFound, (await notifying.Api.Http.GetAsync($"/jobs/{id}/notifications")).StatusCode);
        Assert.Equal(0, await notifying.Database.ScalarAsync<long>("SELECT count(*) FROM notification_attempts"));
    }

    [Fact]
    public async Task Notifications_OfAStudy_AreListedAndGoWithIt()
    {
        var submitted = await notifying.Api.Http.PostAsJsonAsync(
            "/studies",
            new { job = new { dataset = "digits", epochs = 1 }, notify = Address }
        );
        var study = JsonNode.Parse(await submitted.Content.ReadAsStringAsync())!;
        var id = study["id"]!.GetValue<Guid>();
        Assert.Empty(await ItemsAsync(study["links"]!["notifications"]!.GetValue<string>()));
        await notifying.Api.Http.PostAsync($"/studies/{id}/cancel", null);

        Assert.Single(await new NotificationQueue(notifying.Database.DataSource).CollectAsync(default));

        Assert.Equal("study.cancelled", Text(Assert.Single(await ItemsAsync($"/studies/{id}/notifications"))!, "type"));
        Assert.Equal(HttpStatusCode.NoContent, (await notifying.Api.Http.DeleteAsync($"/studies/{id}")).StatusCode);
        Assert.Equal(HttpStatusCode.NotFound, (await notifying.Api.Http.GetAsync($"/studies/{id}/notifications")).StatusCode);
    }

    private async Task<JsonArray> ItemsAsync(string path) => (await notifying.Api.GetAsync(path))["items"]!.AsArray();

    private static string Text(JsonNode node, string field) => node[field]!.GetValue<string>();
}
