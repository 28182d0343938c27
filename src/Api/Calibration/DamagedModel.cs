using Microsoft.AspNetCore.Diagnostics;
using Temper.Api.Http;
using Temper.Api.Onnx;

namespace Temper.Api.Calibration;

/// <summary>Says in a 500 that a stored model is damaged, and how to get it again.</summary>
internal sealed class DamagedModel(ILogger<DamagedModel> log) : IExceptionHandler
{
    public async ValueTask<bool> TryHandleAsync(HttpContext context, Exception exception, CancellationToken cancellation)
    {
        if (exception is not DamagedModelException damaged)
            return false;
        log.LogError(damaged, "{Path}: the stored model is damaged", context.Request.Path);
        context.Response.StatusCode = StatusCodes.Status500InternalServerError;
        await Problems
            .Of(
                StatusCodes.Status500InternalServerError,
                "The stored model is damaged.",
                $"The weights cannot be read: {damaged.Message}. POST /jobs/{{id}}/reproduce trains the model again."
            )
            .ExecuteAsync(context);
        return true;
    }
}
