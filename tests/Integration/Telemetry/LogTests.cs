using System.Text.Json.Nodes;

namespace Temper.Integration.Telemetry;

/// <summary>Tests the log that a worker writes as JSON.</summary>
[Collection(TelemetryCollection.Name)]
public sealed class LogTests(TelemetryFixture telemetry)
{
    [Fact]
    public async Task Line_AboutAnAttempt_HasItsJobAttemptAndTrace()
    {
        var attempt = await telemetry.AttemptAsync(telemetry.Job);

        var line = await LineAsync(message => message.StartsWith($"Job {telemetry.Job["id"]} attempt 1 succeeded"));

        Assert.Equal(telemetry.Job["id"]!.GetValue<string>(), Scope(line, "JobId"));
        Assert.Equal("1", Scope(line, "Attempt"));
        Assert.Equal(attempt.TraceId, Scope(line, "TraceId"));
        Assert.Equal("Information", line["LogLevel"]!.GetValue<string>());
    }

    [Fact]
    public async Task Line_OfTheRunner_HasTheJobOnlyWhileItTrains()
    {
        var id = await telemetry.Api.SubmitAsync(
            new
            {
                dataset = "digits:images=500",
                epsilon = 0.1,
                epochs = 1000,
            }
        );
        await Eventually.TrueAsync(async () =>
            await telemetry.Api.JobAsync(id) is var job && job["trainingStartedAt"] is not null && job["worker"] is not null
        );
        await WriteAsync("a line of the job");
        var busy = await LineAsync(message => message.EndsWith("a line of the job"));
        (await telemetry.Api.Http.PostAsync($"/jobs/{id}/cancel", null)).EnsureSuccessStatusCode();
        var attempt = await telemetry.AttemptAsync(await telemetry.Api.FinishedJobAsync(id, TimeSpan.FromSeconds(30)));
        await WriteAsync("a line of nobody");
        var idle = await LineAsync(message => message.EndsWith("a line of nobody"));

        Assert.Equal($"{id}", Scope(busy, "JobId"));
        Assert.Equal("1", Scope(busy, "Attempt"));
        Assert.Equal(attempt.TraceId, Scope(busy, "TraceId"));
        Assert.Null(Scope(idle, "JobId"));
        Assert.Null(Scope(idle, "TraceId"));
    }

    /// <summary>Writes a line to the runner's standard error, as a native library would.</summary>
    private async Task WriteAsync(string line)
    {
        await using var error = new FileStream($"/proc/{Assert.Single(telemetry.Worker.Runners())}/fd/2", FileMode.Open, FileAccess.Write);
        await using var text = new StreamWriter(error);
        await text.WriteLineAsync(line);
    }

    private async Task<JsonNode> LineAsync(Func<string, bool> wanted) =>
        (
            await Eventually.ValueAsync(
                () =>
                    Task.FromResult(
                        telemetry
                            .Worker.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries)
                            .Select(line => JsonNode.Parse(line)!)
                            .SingleOrDefault(line => wanted(line["Message"]!.GetValue<string>()))
                    ),
                line => line is not null
            )
        )!;

    private static string? Scope(JsonNode line, string name) =>
        line["Scopes"]!.AsArray().OfType<JsonObject>().Select(scope => scope[name]?.ToString()).SingleOrDefault(value => value is not null);
}
