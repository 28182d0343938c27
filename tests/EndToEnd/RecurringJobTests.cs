using Hangfire;
using Temper.Store.Engine;

namespace Temper.EndToEnd;

/// <summary>Apart from <see cref="HangfireTests"/>: it waits for more than a minute, during which other classes run.</summary>
public sealed class RecurringJobTests : EndToEndTest
{
    /// <summary>The recurring jobs are documented to run every minute.</summary>
    [Fact]
    public async Task RecurringJobs_OfTwoWorkers_RunOnceAMinute()
    {
        await StartWorkerAsync(null, ("Retention__JobDays", "0.00001"));
        await StartWorkerAsync(null, ("Retention__JobDays", "0.00001"));
        var old = await Api.SubmitAsync(
            new
            {
                dataset = "digits",
                epsilon = 0,
                epochs = 1,
            }
        );
        await Api.FinishedJobAsync(old, TimeSpan.FromSeconds(60));
        await Eventually.TrueAsync(async () => await RunsAsync() >= 2, TimeSpan.FromSeconds(150));

        var storage = EngineStorage.Open(Database.ConnectionString, new AttemptQueue(Database.DataSource), 4, commandSeconds: 10);
        new RecurringJobManager(storage).Trigger("remove-expired");
        await Eventually.TrueAsync(
            async () => await Database.ScalarAsync<long>("SELECT count(*) FROM jobs") == 0,
            TimeSpan.FromSeconds(30)
        );
        Assert.Equal(4, await Database.ScalarAsync<long>("SELECT count(*) FROM hangfire.set WHERE key = 'recurring-jobs'"));
        Assert.InRange(
            await Database.ScalarAsync<double>(
                "SELECT extract(epoch FROM max(createdat) - min(createdat))::float8 FROM hangfire.job WHERE "
                    + "invocationdata->>'Method' = 'SettleStudiesAsync'"
            ),
            50,
            70
        );

        Task<long> RunsAsync() =>
            Database.ScalarAsync<long>(
                "SELECT count(*) FROM hangfire.job WHERE invocationdata->>'Method' = 'SettleStudiesAsync' AND statename = 'Succeeded'"
            );
    }
}
