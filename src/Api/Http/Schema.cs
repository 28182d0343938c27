using Npgsql;
using Temper.Store;

namespace Temper.Api.Http;

/// <summary>
/// Migrates the database to this build's schema while the API already serves. While the database is unreachable, the API answers
/// 503, so whoever started the process sees it alive.
/// </summary>
internal sealed class Schema(NpgsqlDataSource database, ILogger<Schema> log) : BackgroundService
{
    private volatile bool isCurrent;

    /// <exception cref="NpgsqlException">The schema is not migrated yet.</exception>
    public void ThrowUnlessCurrent()
    {
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
            log.LogCritical(e, "The database refused its schema");
            Environment.ExitCode = 1;
            throw;
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
