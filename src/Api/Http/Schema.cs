using Npgsql;
using Temper.Store;
using Temper.Store.Keys;

namespace Temper.Api.Http;

/// <summary>
/// Migrates the database to this build's schema while the API already serves. While the database is unreachable, the API answers
/// 503, so whoever started the process sees it alive. It also answers 503 once a newer build has removed what this one uses. An API
/// that others than this machine can reach stops here when it has no key.
/// </summary>
internal sealed class Schema(
    NpgsqlDataSource database,
    KeyStore keys,
    Exposure exposure,
    IHostApplicationLifetime host,
    ILogger<Schema> log
) : BackgroundService
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
            await UntilListeningAsync(stopping);
            if (exposure.MustNotServeWithoutKeys && !await HasKeysAsync(stopping))
                throw new InvalidOperationException(
                    $"Without keys the API serves only this machine, not {exposure.Beyond}. Make the first key with "
                        + "`Temper.Api keys create --name NAME --tenant default --scopes admin`, or set Oidc__Authority."
                );
            isCurrent = true;
        }
        catch (Exception e) when (!stopping.IsCancellationRequested)
        {
            if (e is InvalidOperationException or NewerBuildException)
                log.LogCritical("{Reason}", e.Message);
            else
                log.LogCritical(e, "The database refused its schema");
            Environment.ExitCode = 1;
            await UntilListeningAsync(stopping); // a host that is told to stop while it starts ends with an unhandled exception
            host.StopApplication();
            return;
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

    /// <summary>Waits until the server has told which addresses it listens on.</summary>
    private async Task UntilListeningAsync(CancellationToken stopping)
    {
        var started = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var listening = host.ApplicationStarted.Register(started.SetResult);
        await started.Task.WaitAsync(stopping);
    }

    private async Task<bool> HasKeysAsync(CancellationToken stopping)
    {
        var any = false;
        await Migrator.WhenUpAsync(
            async () => any = await keys.AnyAsync(stopping),
            reason => log.LogWarning("Waiting for the database: {Reason}", reason),
            stopping
        );
        return any;
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
