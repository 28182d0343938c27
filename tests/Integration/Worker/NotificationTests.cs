using System.Diagnostics;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Http;
using Microsoft.EntityFrameworkCore.Infrastructure;
using Microsoft.EntityFrameworkCore.Migrations;
using Microsoft.Extensions.Logging.Abstractions;
using Temper.Domain.Studies;
using Temper.Integration.Store.Queue;
using Temper.Store.Engine;
using Temper.Store.Notifications;
using Temper.Store.Queue;
using Temper.Store.Retention;
using Temper.Store.Studies;
using Temper.Store.Tenants;
using Temper.Worker.Engine;
using Temper.Worker.Notifications;

namespace Temper.Integration.Worker;

/// <summary>Tests what is stored of an end, and what is posted, without Hangfire.</summary>
public class NotificationTests : QueueTest
{
    private const string Secret = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=";

    private const string Anywhere = "https://hooks.example/";

    private static readonly string[] Loopback = ["127.0.0.0/8", "::1/128"];

    private NotificationQueue Notifications => field ??= new(Database.DataSource);

    [Fact]
    public async Task Post_ToAReceiver_IsSignedAsTheDocumentationSays()
    {
        await using var receiver = await WebhookReceiver.StartAsync(_ => 204);
        var job = await SucceededAsync(receiver.Address, "Größe \"x\"");

        Assert.Null((await PostAsync(Assert.Single(await Notifications.CollectAsync(default)), receiver.Address)).Error);

        var sent = Assert.Single(receiver.Received);
        var body = JsonNode.Parse(sent.Body)!;
        Assert.Equal("job.succeeded", body["type"]!.GetValue<string>());
        Assert.Equal((await JobAsync(job)).FinishedAt, body["timestamp"]!.GetValue<DateTimeOffset>());
        Assert.Equal(
            ("Größe \"x\"", $"/jobs/{job}"),
            (body["data"]!["name"]!.GetValue<string>(), body["data"]!["link"]!.GetValue<string>())
        );
        Assert.Equal(0.9, body["data"]!["result"]!["testAccuracy"]!.GetValue<double>());
        Assert.Equal("application/json", sent.Headers["content-type"]);
        Assert.Equal("", await VerifyAsync(sent, Secret));
        Assert.Contains("not signed", await VerifyAsync(sent with { Body = sent.Body.Replace("0.9", "1.0") }, Secret));
        Assert.Contains("not signed", await VerifyAsync(sent, "whsec_" + Convert.ToBase64String(new byte[32])));
        var old = new Dictionary<string, string>(sent.Headers) { ["webhook-timestamp"] = "1700000000" };
        Assert.Contains("too old", await VerifyAsync(sent with { Headers = old }, Secret));
    }

    [Fact]
    public async Task Collect_OfOneEnd_StoresOneNotificationHoweverOftenItRuns()
    {
        var job = await SucceededAsync(Anywhere);
        await SucceededAsync(notify: null);
        await SubmitAsync(Spec with { Notify = Anywhere });

        var collected = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => Notifications.CollectAsync(default)));

        Assert.Single(collected.SelectMany(ids => ids));
        Assert.Equal(job, await Database.ScalarAsync<Guid>("SELECT job_id FROM notifications"));
        Assert.Empty(await Notifications.CollectAsync(default));
        Assert.Empty(await Notifications.TakeOverdueAsync(default)); // who collects it sends it
    }

    [Fact]
    public async Task Collect_OfAJobThatIsRetried_StoresEachEnd()
    {
        var job = await SubmitAndClaimAsync(Spec with { Notify = Anywhere });
        Assert.True(await Queue.FailAsync(job, "it broke", default));
        Assert.Single(await Notifications.CollectAsync(default));
        Assert.True(await Queue.RetryAsync(job.Id, fresh: false, default));
        Assert.Empty(await Notifications.CollectAsync(default));
        Assert.True(await Queue.CancelAsync(job.Id, default));

        Assert.Single(await Notifications.CollectAsync(default));

        Assert.Equal(
            "job.failed it broke, job.cancelled cancelled while queued",
            await Database.ScalarAsync<string>(
                "SELECT string_agg(type || ' ' || (body::json->'data'->>'reason'), ', ' ORDER BY ended_at) FROM notifications"
            )
        );
    }

    [Fact]
    public async Task Collect_OfAStudy_StoresItsEndOnceAndTheEndOfItsExtension()
    {
        var studies = new StudyQueue(Database.DataSource);
        var (id, _, _) = await studies.SubmitAsync(TenantStore.Default, Study(Anywhere), null, default);
        await FinishNextAsync();
        Assert.Empty(await Notifications.CollectAsync(default));
        await FinishNextAsync();
        var last = await Database.ScalarAsync<Guid>("SELECT id FROM jobs ORDER BY finished_at DESC LIMIT 1");

        Assert.Single(await Notifications.CollectAsync(default));
        Assert.True(await Queue.DeleteAsync(last, default)); // the study's end is now that of another job
        Assert.Empty(await Notifications.CollectAsync(default));
        await studies.ExtendAsync(id, spec => spec with { Seeds = [0, 1] }, default);
        Assert.Empty(await Notifications.CollectAsync(default));
        await studies.CancelAsync(id, default);
        Assert.Single(await Notifications.CollectAsync(default));

        Assert.Equal(
            "study.succeeded 2, study.cancelled 3",
            await Database.ScalarAsync<string>(
                "SELECT string_agg(type || ' ' || (body::json->'data'->>'jobs'), ', ' ORDER BY ended_at) FROM notifications"
            )
        );
    }

    [Fact]
    public async Task Collect_AfterAnAttempt_LooksAtItsJobOrStudyOnly()
    {
        var job = await SucceededAsync(Anywhere);
        await SucceededAsync(Anywhere);
        var studies = new StudyQueue(Database.DataSource);
        await studies.SubmitAsync(TenantStore.Default, Study(Anywhere) with { Epsilons = [0] }, null, default);
        var one = await ClaimAsync();
        Assert.True(one.StudyNotifies);
        await FinishAsync(one);

        Assert.Single(await Notifications.CollectJobAsync(job, default));
        Assert.Empty(await Notifications.CollectJobAsync(job, default));
        Assert.Single(await Notifications.CollectStudyAsync(one.Study!.Value, default));
        Assert.Single(await Notifications.CollectAsync(default)); // of the other job
    }

    /// <summary>No process collects for days. Then each end is notified of, and the next collection has nothing to read.</summary>
    [Fact]
    public async Task Collect_AfterALongOutage_StoresEachEndAndLooksAtItOnce()
    {
        var ids = new List<Guid>();
        for (var i = 0; i < 3; i++)
            ids.Add(await SucceededAsync(Anywhere));
        await SucceededAsync(notify: null);
        await Database.ExecuteAsync("UPDATE jobs SET finished_at = finished_at - interval '9 days'");

        Assert.Equal(3, (await Notifications.CollectAsync(default)).Count);

        Assert.Equal(0, await Database.ScalarAsync<long>("SELECT count(*) FROM noted_ends"));
        Assert.Equal(ids.Order(), await Database.ScalarAsync<Guid[]>("SELECT array_agg(job_id ORDER BY job_id) FROM notifications"));
    }

    /// <summary>A worker of the build before died between an end and its notification, before the upgrade.</summary>
    [Fact]
    public async Task Migration_NotesTheEndsThatNobodyHasBeenNotifiedOf()
    {
        await SucceededAsync(Anywhere);
        await new StudyQueue(Database.DataSource).SubmitAsync(TenantStore.Default, Study(Anywhere) with { Epsilons = [0] }, null, default);
        await Notifications.CollectAsync(default);
        var missed = await FinishAsync(await ClaimAsync());
        await SucceededAsync(Anywhere);
        await using var db = Db();
        var migrator = db.GetService<IMigrator>();
        await migrator.MigrateAsync("EpochRefinement");

        await migrator.MigrateAsync();

        Assert.Equal(2, (await Notifications.CollectAsync(default)).Count);
        Assert.Equal(
            await Database.ScalarAsync<Guid>($"SELECT study_id FROM jobs WHERE id = '{missed}'"),
            await Database.ScalarAsync<Guid>("SELECT study_id FROM notifications WHERE study_id IS NOT NULL")
        );
        Assert.Equal(3, await Database.ScalarAsync<long>("SELECT count(*) FROM notifications"));
    }

    [Fact]
    public async Task Collect_OfAStudyWhoseLastOpenJobIsDeleted_StoresItsEnd()
    {
        await new StudyQueue(Database.DataSource).SubmitAsync(TenantStore.Default, Study(Anywhere), null, default);
        await FinishNextAsync();
        Assert.Empty(await Notifications.CollectAsync(default));

        Assert.True(await Queue.DeleteAsync(await Database.ScalarAsync<Guid>("SELECT id FROM jobs WHERE state = 'queued'"), default));

        Assert.Single(await Notifications.CollectAsync(default));
    }

    /// <summary>A receiver that never answers takes ten seconds of a thread. It must not do so for each of its notifications.</summary>
    [Fact]
    public async Task Post_ToAReceiverThatHasJustNotAnswered_FailsAtOnceAndOthersAreServed()
    {
        await using var silent = await WebhookReceiver.StartAsync(
            (_, response) => Task.Delay(Timeout.Infinite, response.HttpContext.RequestAborted)
        );
        await using var good = await WebhookReceiver.StartAsync(_ => 204);
        var options = new NotificationOptions
        {
            Allowed = [silent.Address, good.Address],
            Secret = Secret,
            PrivateNetworks = Loopback,
        };
        using var posting = new Posting(options.Checked(forSending: true)) { Limit = TimeSpan.FromMilliseconds(300) };

        Assert.Contains("did not answer within", (await PostToAsync(posting, silent.Address)).Error);
        Assert.Contains("was not sent", (await PostToAsync(posting, silent.Address)).Error);
        Assert.Equal(204, (await PostToAsync(posting, good.Address)).Status);

        Assert.Single(silent.Received);
    }

    [Fact]
    public async Task Post_ToAReceiverThatAnswersAgain_IsSent()
    {
        var answers = 0;
        await using var receiver = await WebhookReceiver.StartAsync(
            async (_, response) =>
            {
                if (answers++ == 0)
                    await Task.Delay(Timeout.Infinite, response.HttpContext.RequestAborted);
            }
        );
        var options = new NotificationOptions
        {
            Allowed = [receiver.Address],
            Secret = Secret,
            PrivateNetworks = Loopback,
        };
        using var posting = new Posting(options.Checked(forSending: true)) { Limit = TimeSpan.FromSeconds(1), Silence = TimeSpan.Zero };

        Assert.Null((await PostToAsync(posting, receiver.Address)).Status);
        Assert.Equal(200, (await PostToAsync(posting, receiver.Address)).Status);
        Assert.Equal(200, (await PostToAsync(posting, receiver.Address)).Status);
    }

    /// <summary>A worker is killed before it enqueues, and another while it sends.</summary>
    [Fact]
    public async Task Notification_WhoseWorkerWasKilled_IsSentByAnother()
    {
        await SucceededAsync(Anywhere);
        var id = Assert.Single(await Notifications.CollectAsync(default));
        foreach (var attempt in new[] { 1, 2 })
        {
            await PassAsync("71 seconds");
            Assert.Equal([id], await Notifications.TakeOverdueAsync(default));
            Assert.Empty(await Notifications.TakeOverdueAsync(default));
            Assert.Equal(attempt, (await Notifications.BeginAsync(id, Posting.Longest, default))!.Attempt);
            Assert.Empty(await Notifications.TakeOverdueAsync(default));
        }
        await PassAsync("71 seconds");
        var last = (await Notifications.BeginAsync(id, Posting.Longest, default))!;
        await Notifications.EndAsync(last, new(204, null, TimeSpan.FromSeconds(1)), TimeSpan.Zero, default);

        await PassAsync("1 day");

        Assert.Empty(await Notifications.TakeOverdueAsync(default));
        Assert.Null(await Notifications.BeginAsync(id, Posting.Longest, default));
        Assert.Equal(
            "1 null null, 2 null null, 3 1 204",
            await Database.ScalarAsync<string>(
                "SELECT string_agg(concat_ws(' ', attempt, coalesce(seconds::text, 'null'), coalesce(status::text, 'null')), ', ' "
                    + "ORDER BY attempt) FROM notification_attempts"
            )
        );
    }

    /// <summary>Hangfire has the same notification several times, for several workers.</summary>
    [Fact]
    public async Task Begin_ByManyAtOnce_BeginsOneTryWhenItIsDue()
    {
        await SucceededAsync(Anywhere);
        var id = Assert.Single(await Notifications.CollectAsync(default));
        foreach (var attempt in new[] { 1, 2 })
        {
            var begun = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => Notifications.BeginAsync(id, Posting.Longest, default)));
            var one = Assert.Single(begun, each => each is not null)!;
            Assert.Equal(attempt, one.Attempt);
            await Notifications.EndAsync(one, new(500, "It failed.", TimeSpan.Zero), TimeSpan.FromSeconds(20), default);
            Assert.Null(await Notifications.BeginAsync(id, Posting.Longest, default));
            await PassAsync("20 seconds");
        }
    }

    /// <summary>A backlog in Hangfire keeps a notification from being tried for three hours.</summary>
    [Fact]
    public async Task TakeOverdue_OfANotificationThatWaitsInHangfire_TakesItEverMoreRarely()
    {
        await SucceededAsync(Anywhere);
        await Notifications.CollectAsync(default);

        var taken = 0;
        for (var minute = 0; minute < 180; minute++)
        {
            await PassAsync("1 minute");
            taken += (await Notifications.TakeOverdueAsync(default)).Count;
        }

        Assert.InRange(taken, 7, 8); // after 1, 2, 4, 8 … 128 minutes
    }

    [Fact]
    public async Task Post_AnsweredByARedirect_FollowsItNowhere()
    {
        WebhookReceiver? receiver = null;
        await using var started = receiver = await WebhookReceiver.StartAsync(
            (request, response) =>
            {
                response.StatusCode = StatusCodes.Status307TemporaryRedirect;
                response.Headers.Location = $"{receiver!.Address}/elsewhere";
                return Task.CompletedTask;
            }
        );

        var outcome = await PostAsync(await NotificationOfAsync(receiver.Address), receiver.Address);

        Assert.Equal((307, "The receiver answered 307. Redirects are not followed."), (outcome.Status, outcome.Error));
        Assert.Equal("/", Assert.Single(receiver.Received).Path);
    }

    [Fact]
    public async Task Post_AnsweredWithoutEnd_ReadsNoBody()
    {
        await using var receiver = await WebhookReceiver.StartAsync(
            async (_, response) =>
            {
                while (!response.HttpContext.RequestAborted.IsCancellationRequested)
                    await response.Body.WriteAsync(new byte[1 << 16], response.HttpContext.RequestAborted);
            }
        );

        var outcome = await PostAsync(await NotificationOfAsync(receiver.Address), receiver.Address);

        Assert.Equal((200, null), (outcome.Status, outcome.Error));
        Assert.True(outcome.Duration < Posting.Longest);
    }

    [Theory]
    [InlineData("http://127.0.0.1:{0}/")]
    [InlineData("https://127.0.0.1:{0}/")]
    [InlineData("https://localhost:{0}/")]
    [InlineData("https://[::ffff:127.0.0.1]:{0}/")]
    [InlineData("https://0177.0.0.1:{0}/")]
    [InlineData("https://2130706433:{0}/")]
    public async Task Post_ToAnAddressThatIsNotPublic_ConnectsToNothing(string format)
    {
        await using var receiver = await WebhookReceiver.StartAsync(_ => 204);
        var address = string.Format(format, new Uri(receiver.Address).Port);

        var outcome = await PostAsync(await NotificationOfAsync(address), address, privateNetworks: ["10.0.0.0/8"]);

        Assert.Contains("has no public address", outcome.Error);
        Assert.Null(outcome.Status);
        Assert.Empty(receiver.Received);
    }

    /// <summary>The settings may have changed since the job was submitted.</summary>
    [Fact]
    public async Task Post_ToAnAddressThatIsNoLongerAllowed_ConnectsToNothing()
    {
        await using var receiver = await WebhookReceiver.StartAsync(_ => 204);

        var outcome = await PostAsync(await NotificationOfAsync(receiver.Address), allowed: Anywhere);

        Assert.Contains("do not allow", outcome.Error);
        Assert.Empty(receiver.Received);
    }

    [Fact]
    public async Task Post_ToNobody_Fails()
    {
        var address = $"http://127.0.0.1:{ApiProcess.FreePort()}/";

        var outcome = await PostAsync(await NotificationOfAsync(address), address);

        Assert.Null(outcome.Status);
        Assert.Contains("refused", outcome.Error);
    }

    /// <summary>A Hangfire job that begins before the try is due does nothing, and the next one comes a minute later.</summary>
    [Fact]
    public async Task Send_ThatFails_SchedulesAHangfireJobForWhenTheNextTryIsDue()
    {
        var id = await NotificationOfAsync(Anywhere);
        var options = new NotificationOptions { Secret = Secret };
        using var posting = new Posting(options);
        var storage = EngineStorage.Open(Database.ConnectionString, new(Database.DataSource), connections: 4, commandSeconds: 10);

        await new Notifying(storage, Notifications, options, posting, NullLogger.Instance).SendAsync(id);

        Assert.True(
            await Database.ScalarAsync<bool>(
                """
                SELECT score BETWEEN due AND due + 2 FROM hangfire.set,
                    (SELECT extract(epoch FROM next_try_at)::float8 AS due FROM notifications) notified WHERE key = 'schedule'
                """
            )
        );
    }

    [Fact]
    public async Task Retention_OfWhatIsNotNotifiedYet_Waits()
    {
        await SucceededAsync(Anywhere);
        await new StudyQueue(Database.DataSource).SubmitAsync(TenantStore.Default, Study(Anywhere) with { Epsilons = [0] }, null, default);
        await FinishNextAsync();
        await AgeAsync();
        await RemoveAsync(left: 2);
        var ids = await Notifications.CollectAsync(default);
        await RemoveAsync(left: 2);

        foreach (var id in ids)
        {
            var attempt = (await Notifications.BeginAsync(id, Posting.Longest, default))!;
            await Notifications.EndAsync(attempt, new(500, "The receiver answered 500.", TimeSpan.Zero), wait: null, default);
        }

        await RemoveAsync(left: 0);
        Assert.Equal(
            0,
            await Database.ScalarAsync<long>("SELECT (SELECT count(*) FROM notifications) + count(*) FROM notification_attempts")
        );
    }

    private async Task RemoveAsync(int left)
    {
        await new Removal(Database.DataSource, new() { JobDays = 10 }, NullLogger.Instance).RunAsync(default);
        Assert.Equal(left, await Database.ScalarAsync<long>("SELECT count(*) FROM jobs"));
    }

    private static StudySpec Study(string notify) =>
        new()
        {
            Job = Spec,
            Epsilons = [0, 0.1],
            Seeds = [0],
            Notify = notify,
        };

    private Task PassAsync(string interval) =>
        Database.ExecuteAsync(
            $"UPDATE notifications SET next_try_at = next_try_at - interval '{interval}', overdue_at = overdue_at - interval '{interval}'"
        );

    private async Task<Guid> NotificationOfAsync(string address)
    {
        await SucceededAsync(address);
        return Assert.Single(await Notifications.CollectAsync(default));
    }

    private async Task<NotificationOutcome> PostAsync(Guid id, string allowed, string[]? privateNetworks = null)
    {
        using var posting = new Posting(
            new NotificationOptions
            {
                Allowed = [allowed],
                Secret = Secret,
                PrivateNetworks = privateNetworks ?? Loopback,
            }.Checked(forSending: true)
        );
        return await posting.PostAsync((await Notifications.BeginAsync(id, Posting.Longest, default))!);
    }

    private static Task<NotificationOutcome> PostToAsync(Posting posting, string address) =>
        posting.PostAsync(new(Guid.CreateVersion7(), 1, address, "{}"));

    private async Task<Guid> SucceededAsync(string? notify, string? name = null)
    {
        var job = await SubmitAndClaimAsync(Spec with { Notify = notify, Name = name });
        return await FinishAsync(job);
    }

    private async Task FinishNextAsync() => await FinishAsync(await ClaimAsync());

    private async Task<Guid> FinishAsync(ClaimedJob job)
    {
        Assert.True(await Queue.ReportAsync(job, [Metrics], [1], default));
        Assert.True(await Queue.SucceedAsync(job, Result, Model, default));
        return job.Id;
    }

    /// <summary>Runs the Python example of docs/api.md.</summary>
    /// <returns>Its error; empty when the signature is right.</returns>
    private static async Task<string> VerifyAsync(ReceivedWebhook sent, string secret)
    {
        var document = await File.ReadAllTextAsync(Path.Combine(TemperProcess.Repository, "docs", "api.md"));
        var example = document.Split("```python\n").Single(part => part.Contains("def verify(")).Split("```")[0];
        var python = new ProcessStartInfo(
            "python3",
            ["-c", $"{example}\nimport json, sys\none = json.load(sys.stdin)\nverify(one['secret'], one['headers'], one['body'].encode())"]
        )
        {
            RedirectStandardInput = true,
            RedirectStandardError = true,
            StandardInputEncoding = new UTF8Encoding(false),
        };
        using var process = Process.Start(python)!;
        await process.StandardInput.WriteAsync(
            JsonSerializer.Serialize(
                new
                {
                    secret,
                    headers = sent.Headers,
                    body = sent.Body,
                }
            )
        );
        process.StandardInput.Close();
        var error = await process.StandardError.ReadToEndAsync();
        await process.WaitForExitAsync();
        return error;
    }
}
