using System.Net.Http.Json;

namespace Temper.EndToEnd;

/// <summary>Tests notifications with a worker that trains, Hangfire's retries, and a receiver.</summary>
public sealed class NotificationTests : EndToEndTest
{
    private const string Secret = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=";

    private int failures = 2;

    [Fact]
    public async Task End_OfAJobAndOfAStudy_ArrivesOnceAfterErrorsAndAfterADeadWorker()
    {
        var hanging = new TaskCompletionSource();
        await using var receiver = await WebhookReceiver.StartAsync(
            async (request, response) =>
            {
                if (request.Path == "/hang" && hanging.TrySetResult())
                    await Task.Delay(Timeout.Infinite, response.HttpContext.RequestAborted);
                response.StatusCode = request.Path == "/fails" && Interlocked.Decrement(ref failures) >= 0 ? 500 : 204;
            }
        );
        (string, string)[] settings =
        [
            ("Notifications__Allowed__0", receiver.Address),
            ("Notifications__PrivateNetworks__0", "127.0.0.0/8"),
            ("Notifications__Secret", Secret),
            ("Notifications__RetrySeconds", "1"),
        ];
        await using var api = await ApiProcess.StartAsync(
            Database.ConnectionString,
            settings[..1].ToDictionary(one => one.Item1, one => (string?)one.Item2)
        );
        var worker = await StartWorkerAsync(null, settings);

        var failing = await SubmitAsync(api, $"{receiver.Address}/fails");
        var study = await StudyAsync(api, $"{receiver.Address}/study", $"{receiver.Address}/each");
        await DeliveredAsync(api, $"/studies/{study}");
        var items = await DeliveredAsync(api, $"/jobs/{failing}");
        Assert.Equal([500, 500, 204], items[0]!["attempts"]!.AsArray().Select(attempt => attempt!["status"]!.GetValue<int>()));
        Assert.Equal(items[0]!["id"]!.GetValue<string>(), Assert.Single(Received("/fails").Select(one => one.Id).Distinct()));
        await Eventually.TrueAsync(() => Task.FromResult(Received("/each").Count() == 2));
        Assert.Equal("study.succeeded", JsonNode.Parse(Assert.Single(Received("/study")).Body)!["type"]!.GetValue<string>());
        Assert.Equal(2, Received("/each").Select(one => one.Id).Distinct().Count());

        // The worker dies while it sends.
        var hung = await SubmitAsync(api, $"{receiver.Address}/hang");
        await hanging.Task.WaitAsync(TimeSpan.FromSeconds(30));
        await worker.KillAsync();
        await Database.ExecuteAsync( // a minute later
            "UPDATE notifications SET next_try_at = clock_timestamp(), overdue_at = clock_timestamp() WHERE state = 'pending'"
        );
        await StartWorkerAsync(null, settings);
        await Eventually.TrueAsync(async () =>
            await Database.ScalarAsync<long>("SELECT count(*) FROM hangfire.set WHERE value = 'notify'") > 0
        );
        await api.Http.PostAsync("/hangfire/recurring/trigger", new FormUrlEncodedContent([new("jobs[]", "notify")]));
        var attempts = (await DeliveredAsync(api, $"/jobs/{hung}"))[0]!["attempts"]!.AsArray();
        Assert.Equal([null, 204], attempts.Select(attempt => attempt!["status"]?.GetValue<int>()));
        Assert.Single(Received("/hang").Select(one => one.Id).Distinct());
        Assert.Equal(3 + 1 + 2 + 2, receiver.Received.Count);

        IEnumerable<ReceivedWebhook> Received(string path) => receiver.Received.Where(one => one.Path == path);
    }

    private static Task<Guid> SubmitAsync(ApiProcess api, string notify) =>
        api.SubmitAsync(
            new
            {
                dataset = "digits",
                epsilon = 0,
                epochs = 1,
                notify,
            }
        );

    private static async Task<Guid> StudyAsync(ApiProcess api, string notify, string notifyEach)
    {
        var answer = await api.Http.PostAsJsonAsync(
            "/studies",
            new
            {
                job = new
                {
                    dataset = "digits",
                    epochs = 1,
                    notify = notifyEach,
                },
                epsilons = new[] { 0, 0.1 },
                seeds = 1,
                notify,
            }
        );
        return JsonNode.Parse(await answer.Content.ReadAsStringAsync())!["id"]!.GetValue<Guid>();
    }

    private static async Task<JsonArray> DeliveredAsync(ApiProcess api, string path)
    {
        JsonArray items = [];
        await Eventually.TrueAsync(
            async () =>
                (items = (await api.GetAsync($"{path}/notifications"))["items"]!.AsArray()).Count > 0
                && items.All(item => item!["state"]!.GetValue<string>() == "delivered"),
            TimeSpan.FromSeconds(60)
        );
        Assert.Single(items);
        return items;
    }
}
