using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Npgsql;
using Temper.Api.Jobs;
using Temper.Domain.Jobs;
using Temper.Domain.Serialization;
using Temper.Store;

namespace Temper.Bench;

/// <summary>
/// Gives the same two answers from the same records by two statements of Npgsql, without keys, limits, outage messages or ETags.
/// The difference between the API's rate and this one is the cost of those.
/// </summary>
internal static class MinimalApi
{
    private const string Job = """
        SELECT state, stop_requested, reason, spec, progress, attempt, failures, name, created_at, claimed_at, training_started_at,
            finished_at, result, reproduces, study_id
        FROM jobs LEFT JOIN workers ON workers.id = worker_id WHERE jobs.id = $1
        """;

    private const string Epochs = """
        SELECT epoch, train_loss, train_accuracy, validation_loss, validation_accuracy, ece, signed_gap, learning_rate, seconds,
            images_per_second
        FROM epochs WHERE job_id = $1 ORDER BY epoch
        """;

    public static async Task ServeAsync(string connectionString, string address)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.Services.ConfigureHttpJsonOptions(options => Json.Configure(options.SerializerOptions));
        await using var database = Database.Open(connectionString, connections: Math.Max(6, 3 * Environment.ProcessorCount));
        await using var app = builder.Build();
        app.MapGet(
            "/jobs/{id:guid}",
            async (Guid id) => (IResult)(await JobAsync(database, id) is { } job ? TypedResults.Ok(job) : TypedResults.NotFound())
        );
        app.MapGet("/jobs/{id:guid}/metrics", async (Guid id) => TypedResults.Ok(await MetricsAsync(database, id)));
        await app.RunAsync(address);
    }

    private static async Task<JobResponse?> JobAsync(NpgsqlDataSource database, Guid id)
    {
        await using var command = database.CreateCommand(Job);
        command.Parameters.Add(new NpgsqlParameter<Guid> { TypedValue = id });
        await using var row = await command.ExecuteReaderAsync();
        if (!await row.ReadAsync())
            return null;
        var state = Enum.Parse<JobState>(row.GetString(0), ignoreCase: true);
        var spec = Json.Read<JobSpec>(row.GetString(3));
        return new(
            id,
            ShownStates.Of(state, row.IsDBNull(1) ? null : Enum.Parse<StopRequest>(row.GetString(1), ignoreCase: true)),
            row.IsDBNull(2) ? null : row.GetString(2),
            state.IsFinal(),
            spec,
            SpecRevision.Of(spec),
            TargetsResponse.Of(spec),
            row.IsDBNull(4) ? null : Json.Read<TrainingProgress>(row.GetString(4)),
            row.GetInt32(5),
            row.GetInt32(6),
            row.IsDBNull(7) ? null : row.GetString(7),
            row.GetFieldValue<DateTimeOffset>(8),
            Time(9),
            Time(10),
            Time(11),
            row.IsDBNull(12) ? null : Json.Read<JobResult>(row.GetString(12)),
            row.IsDBNull(13) ? null : row.GetGuid(13),
            row.IsDBNull(14) ? null : row.GetGuid(14),
            false,
            JobLinks.Of(id)
        );

        DateTimeOffset? Time(int column) => row.IsDBNull(column) ? null : row.GetFieldValue<DateTimeOffset>(column);
    }

    private static async Task<MetricsResponse> MetricsAsync(NpgsqlDataSource database, Guid id)
    {
        await using var command = database.CreateCommand(Epochs);
        command.Parameters.Add(new NpgsqlParameter<Guid> { TypedValue = id });
        await using var row = await command.ExecuteReaderAsync();
        var epochs = new List<EpochMetrics>();
        while (await row.ReadAsync())
            epochs.Add(
                new(
                    row.GetInt32(0),
                    row.GetDouble(1),
                    row.GetDouble(2),
                    row.GetDouble(3),
                    row.GetDouble(4),
                    row.GetDouble(5),
                    row.GetDouble(6),
                    row.GetDouble(7),
                    row.GetDouble(8),
                    row.GetDouble(9)
                )
            );
        return new(epochs);
    }
}
