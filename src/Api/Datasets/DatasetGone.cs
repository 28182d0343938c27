using Microsoft.AspNetCore.Diagnostics;
using Npgsql;
using Temper.Api.Http;
using Temper.Store.Datasets;

namespace Temper.Api.Datasets;

/// <summary>Answers 409 when a data set was deleted between the check of a spec and its submission.</summary>
internal sealed class DatasetGone : IExceptionHandler
{
    public async ValueTask<bool> TryHandleAsync(HttpContext context, Exception exception, CancellationToken cancellation)
    {
        if (
            (exception as PostgresException ?? exception.InnerException as PostgresException)?.ConstraintName
            is not (UploadedDatasets.JobsConstraint or UploadedDatasets.StudiesConstraint)
        )
            return false;
        context.Response.StatusCode = StatusCodes.Status409Conflict;
        await Problems
            .Of(StatusCodes.Status409Conflict, "The data set is gone.", "It was deleted while the spec was submitted. Nothing was stored.")
            .ExecuteAsync(context);
        return true;
    }
}
