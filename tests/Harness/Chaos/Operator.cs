using Npgsql;

namespace Temper.Harness.Chaos;

/// <summary>An operator who uses Hangfire's dashboard to requeue and delete trainings.</summary>
internal static class Operator
{
    private const int Jobs = 5;

    /// <returns>False when Hangfire has no job of an attempt, or when the API or the database does not answer.</returns>
    public static async Task<bool> MeddleAsync(ChaosDatabase database, Uri api, Violations violations)
    {
        try
        {
            var ids = await database.RowsAsync(
                "SELECT id FROM hangfire.job WHERE invocationdata->>'Type' LIKE '%ITraining%' ORDER BY id DESC LIMIT $1",
                Jobs
            );
            using var client = new HttpClient { BaseAddress = api, Timeout = TimeSpan.FromSeconds(10) };
            foreach (var id in ids)
            foreach (var verb in new[] { "requeue", "delete" })
            {
                using var response = await client.PostAsync($"/hangfire/jobs/actions/{verb}/{id}", null);
                if (response.IsSuccessStatusCode)
                    violations.Add(Rule.HangfireDisagrees, $"the dashboard carried out {verb} of {id}");
            }
            return ids.Count > 0;
        }
        catch (Exception e) when (e is HttpRequestException or TaskCanceledException or NpgsqlException)
        {
            return false; // another fault happened first
        }
    }

    /// <summary>Waits until Hangfire shows no attempt as processing or without expiry, and reports those that remain.</summary>
    public static async Task CheckAsync(ChaosDatabase database, Violations violations)
    {
        const string wrong = """
            SELECT id || ' is ' || statename || ' and expires ' || coalesce(expireat::text, 'never') FROM hangfire.job
            WHERE invocationdata->>'Type' LIKE '%ITraining%' AND (statename = 'Processing' OR expireat IS NULL)
            """;
        for (var i = 0; i < 15 && (await database.RowsAsync(wrong)).Count > 0; i++)
            await Task.Delay(TimeSpan.FromSeconds(1));
        foreach (var row in await database.RowsAsync(wrong))
            violations.Add(Rule.HangfireDisagrees, row);
    }
}
