using Npgsql;
using Temper.Store;

namespace Temper.Api.Http;

/// <summary>
/// Brings the database to this build's schema while the API serves already: a database that is away is a 503 then too,
/// and no reason to look dead to whoever started this process.
/// </summary>
internal sealed class Schema(NpgsqlDataSource database, ILogger<Schema> log) : BackgroundService
{
    private volatile bool isCurrent;

    /// <exception cref="NpgsqlException">The database is not there yet.</exception>
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
            // It refuses us: the host stops, and whoever started this process must see that it failed.
            log.LogCritical(e, "The database refused its schema");
            Environment.ExitCode = 1;
            throw;
        }
    }
}

internal static class SchemaExtensions
{
    /// <summary>Until the schema is there, 503 for every route but whether this process lives.</summary>
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
