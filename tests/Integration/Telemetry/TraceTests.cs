using System.Net.Http.Json;
using System.Text.Json.Nodes;

namespace Temper.Integration.Telemetry;

/// <summary>Tests the spans that a receiver of OTLP gets.</summary>
[Collection(TelemetryCollection.Name)]
public sealed class TraceTests(TelemetryFixture telemetry)
{
    [Fact]
    public async Task Trace_OfAJob_GoesFromThePostOverTheEpochsToTheResult()
    {
        var attempt = await telemetry.AttemptAsync(telemetry.Job);
        var trace = await telemetry.TraceAsync(attempt.TraceId, 1, "attempt");

        var post = Assert.Single(trace, span => span.Parent == "");
        Assert.Equal(("temper-api", "POST /jobs/"), (post.Service, post.Name));
        Assert.Equal(("temper-worker", post.Id), (attempt.Service, attempt.Parent));
        Assert.Equal("succeeded", attempt.Tags["temper.attempt.outcome"]);
        Assert.Empty(attempt.Links);
        var parts = trace.Where(span => span.Parent == attempt.Id && span.Source == attempt.Source).OrderBy(span => span.Start).ToList();
        Assert.Equal(["claim", "load data", "epoch", "epoch", "evaluate", "store result"], parts.Select(part => part.Name));
        Assert.All(parts, part => Assert.True(attempt.Start <= part.Start && part.Start <= part.End && part.End <= attempt.End));
        Assert.Equal(["1", "2"], parts.Where(part => part.Name == "epoch").Select(part => part.Tags["temper.epoch"]));
        // The statements too: one stores the job, others its epochs and its result.
        Assert.Contains(trace, span => span.Source == "Npgsql" && span.Parent == post.Id);
        Assert.Contains(trace, span => span.Source == "Npgsql" && span.Parent == parts[^1].Id);
    }

    [Fact]
    public async Task Trace_OfACallerThatSendsOne_IsContinued()
    {
        var caller = $"{Guid.NewGuid():N}";
        using var request = new HttpRequestMessage(HttpMethod.Post, "/jobs") { Content = JsonContent.Create(TelemetryFixture.SmallJob) };
        request.Headers.Add("traceparent", $"00-{caller}-00f067aa0ba902b7-01");
        using var response = await telemetry.Api.Http.SendAsync(request);
        response.EnsureSuccessStatusCode();

        await telemetry.TraceAsync(caller, 1, "attempt");
    }

    [Fact]
    public async Task Trace_OfAStudy_HasTheAttemptsOfAllItsJobs()
    {
        using var response = await telemetry.Api.Http.PostAsJsonAsync(
            "/studies",
            new
            {
                job = new { dataset = "digits:images=500", epochs = 1 },
                epsilons = new[] { 0, 0.1 },
                seeds = 1,
            }
        );
        response.EnsureSuccessStatusCode();
        var study = (await response.Content.ReadFromJsonAsync<JsonNode>())!["id"]!.GetValue<string>();
        var attempts = await Eventually.ValueAsync(
            () => Task.FromResult(telemetry.Receiver.Spans.Where(span => span.Tags.GetValueOrDefault("temper.study.id") == study).ToList()),
            spans => spans.Count == 2
        );

        Assert.Equal(attempts[0].TraceId, attempts[1].TraceId);
        Assert.Equal(attempts[0].Parent, attempts[1].Parent);
        Assert.Contains(await telemetry.TraceAsync(attempts[0].TraceId, 2, "attempt"), span => span.Name == "POST /studies/");
    }

    [Fact]
    public async Task Trace_OfASecondAttempt_IsTheSameAndLinksTheFirst()
    {
        var id = await telemetry.Api.SubmitAsync(
            new
            {
                dataset = "digits:images=500",
                epsilon = 0.1,
                epochs = 1000,
            }
        );
        await TrainsAsync();
        var first = await telemetry.AttemptAsync(await EndAsync());
        await VerbAsync("retry");
        await TrainsAsync();
        var second = await telemetry.AttemptAsync(await EndAsync());

        Assert.Equal((first.TraceId, first.Parent), (second.TraceId, second.Parent));
        Assert.Equal([first.Id], second.Links);
        Assert.Equal("cancelled", second.Tags["temper.attempt.outcome"]);

        Task TrainsAsync() =>
            Eventually.TrueAsync(async () =>
                await telemetry.Api.JobAsync(id) is var job
                && job["state"]!.GetValue<string>() == "running"
                && job["trainingStartedAt"] is not null
            );

        async Task<JsonNode> EndAsync()
        {
            await VerbAsync("cancel");
            return await telemetry.Api.FinishedJobAsync(id, TimeSpan.FromSeconds(30));
        }

        async Task VerbAsync(string verb) => (await telemetry.Api.Http.PostAsync($"/jobs/{id}/{verb}", null)).EnsureSuccessStatusCode();
    }

    /// <summary>They may hold a key of the receiver.</summary>
    [Fact]
    public void Runner_HasNoVariablesOfOpenTelemetry()
    {
        var variables = File.ReadAllText($"/proc/{Assert.Single(telemetry.Worker.Runners())}/environ").Split('\0');

        Assert.Contains(variables, variable => variable.StartsWith("TEMPER_HOME="));
        Assert.DoesNotContain(variables, variable => variable.StartsWith("OTEL_"));
    }

    /// <summary>Heartbeats and looks for work would otherwise be several traces a second.</summary>
    [Fact]
    public async Task Statements_OutsideRequestsAndAttempts_AreNotSent()
    {
        await telemetry.AttemptAsync(telemetry.Job);

        Assert.DoesNotContain(telemetry.Receiver.Spans, span => span.Source == "Npgsql" && span.Parent == "");
        Assert.DoesNotContain(telemetry.Receiver.Spans, span => span.Name.Contains("/health") || span.Name.Contains("/metrics"));
    }
}
