using Npgsql;
using Temper.Store;

namespace Temper.Api.Http;

/// <summary>
/// Migrates the database to this build's schema while the API already serves. While the database is unreachable, the API answers
/// 503, so whoever started the process sees it alive. It also answers 503 once a newer build has removed what this one uses.
/// </summary>
internal sealed class Schema(NpgsqlDataSource database, ILogger<Schema> log) : BackgroundService
{
    private volatile bool isCurrent;
    private volatile string? refusal;

    /// <exception cref="NpgsqlException">The schema is not migrated yet.</exception>
    /// <exception cref="NewerBuildException">The schema lacks what this build uses.</exception>
    public void ThrowUnlessCurrent()
    {
        if (refusal is { } reason)
            throw new NewerBuildException(reason);
        if (!isCurrent)
            throw new NpgsqlException("The schema waits for the database.", new TimeoutException());
    }

    protected override async Task ExecuteAsync(CancellationToken stopping)
    {
        try
        {
            await Migrator.MigrateWhenUpAsync(database, log, stopping);
            isCurrent = true;
        }
        catch (Exception e) when (!stopping.IsCancellationRequested)
        {
            // The database refused the migration. The host stops, and the exit code shows the failure.
            log.LogCritical(e is NewerBuildException ? null : e, "The database refused its schema: {Reason}", e.Message);
            Environment.ExitCode = 1;
            throw;
        }
        try
        {
            await Migrator.WatchAsync(database, stopping);
        }
        catch (NewerBuildException e)
        {
            refusal = e.Message;
            log.LogCritical("Every request is refused: {Reason}", e.Message);
        }
    }
}

internal static class SchemaExtensions
{
    /// <summary>Answers 503 on every route except /health until the schema is migrated.</summary>
    public static void UseSchema(this IApplicationBuilder app)
    {
        var schema = app.ApplicationServices.GetRequiredService<Schema>();
        app.Use(next =>
            context =>
            {
                if (!context.Request.Path.StartsWithSegments("/health"))
                    schema.ThrowUnlessCurrent();
                return next(context);
            }
        );
    }
}
