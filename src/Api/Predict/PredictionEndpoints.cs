using System.ComponentModel;
using Microsoft.AspNetCore.Mvc;
using Temper.Api.Arrays;
using Temper.Api.Audit;
using Temper.Api.Calibration;
using Temper.Api.Http;
using Temper.Domain.Calibration.Calibrators;
using Temper.Store;
using Temper.Store.Keys;

namespace Temper.Api.Predict;

/// <summary>Images for a prediction, as JSON.</summary>
/// <param name="Images">
/// 1 to 1,000 images: H rows of W pixels each. A pixel is a number from 0 to 255, or an array of 1 or 3 of them.
/// </param>
public sealed record PredictionRequest(IReadOnlyList<IReadOnlyList<IReadOnlyList<object>>> Images);

/// <summary>What a job's model says about the posted images.</summary>
/// <param name="Job">Id of the job.</param>
/// <param name="Calibrator">The calibrator that the probabilities are by.</param>
/// <param name="Temperature">T of the job's calibration report, whatever the calibrator.</param>
/// <param name="ClassNames">The names of the classes, in the order of their labels; null when the data set names no classes.</param>
/// <param name="Items">One prediction for each image, in their order.</param>
public sealed record PredictionResponse(
    Guid Job,
    CalibratorName Calibrator,
    double Temperature,
    IReadOnlyList<string>? ClassNames,
    IReadOnlyList<Prediction> Items
);

/// <param name="Label">The most probable class, from 0.</param>
/// <param name="ClassName">Its name; null when the data set names no classes.</param>
/// <param name="Confidence">Its calibrated probability.</param>
/// <param name="Probabilities">The calibrated probability of each class.</param>
public sealed record Prediction(int Label, string? ClassName, float Confidence, IReadOnlyList<float> Probabilities)
{
    internal static Prediction Of(float[] probabilities, IReadOnlyList<string>? names)
    {
        var label = 0;
        for (var k = 1; k < probabilities.Length; k++)
            if (probabilities[k] > probabilities[label])
                label = k;
        return new(label, names?[label], probabilities[label], probabilities);
    }
}

internal static class PredictionEndpoints
{
    private const int RetryAfterSeconds = 1,
        LongestSeconds = 60;

    public static void MapPredictions(this IEndpointRouteBuilder routes) =>
        routes
            .MapPost("/jobs/{id:guid}/predict", PredictAsync)
            .Needs(Scope.Submit)
            .WithTags("Calibration")
            .WithMetadata(ImageFiles.Rule)
            .Produces<PredictionResponse>()
            .ProducesProblem(StatusCodes.Status404NotFound)
            .ProducesProblem(StatusCodes.Status409Conflict)
            .ProducesProblem(StatusCodes.Status408RequestTimeout)
            .ProducesProblem(StatusCodes.Status413PayloadTooLarge)
            .ProducesProblem(StatusCodes.Status415UnsupportedMediaType)
            .ProducesProblem(StatusCodes.Status429TooManyRequests)
            .ProducesProblem(StatusCodes.Status500InternalServerError)
            .ProducesProblem(StatusCodes.Status503ServiceUnavailable);

    private static async Task<IResult> PredictAsync(
        HttpContext context,
        TemperDb db,
        LoadedModels models,
        FittedCalibrators calibrators,
        Guid id,
        PostedFiles posted,
        [FromQuery, Description($"Calibrator of the probabilities: {FittedCalibrators.Text}")] string? calibrator,
        CancellationToken cancellation
    )
    {
        AuditTrail.ChangesNothing(context);
        if (posted.Refusal is { } refused)
            return refused;
        var errors = new Dictionary<string, string[]>();
        Problems.AddUnknownParameters(context.Request, errors, FittedCalibrators.Parameter);
        FittedCalibrators.AddUnlessKnown(calibrator, errors);
        if (errors.Count > 0)
            return Problems.Invalid("The query is wrong.", errors);
        if (await CalibrationEndpoints.RefusalAsync(db, id, CalibrationEndpoints.Need.WeightsAndTemperature, cancellation) is { } refusal)
            return refusal;
        return await calibrators.AnswerAsync(db, id, calibrator, PredictInTurn, cancellation);

        Task<IResult> PredictInTurn(Calibrator? fit) =>
            Task.FromResult<IResult>(
                new InTurn(
                    async computing =>
                    {
                        var (taken, hasNoRoom) = await models.TakeAsync(db, id, computing);
                        if (hasNoRoom)
                            return NoRoom(context, models);
                        if (taken is null)
                            return CalibrationEndpoints.WeightsNotKept(id); // retention has just removed them
                        using (taken)
                            return Answer(id, taken.Model, fit, posted, computing);
                    },
                    Turn.Prediction
                )
            );
    }

    private static IResult Answer(Guid id, LoadedModel model, Calibrator? calibrator, PostedFiles posted, CancellationToken cancellation)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        limit.CancelAfter(TimeSpan.FromSeconds(LongestSeconds));
        try
        {
            var images = ImageFiles.Read(posted, model.Images, limit.Token);
            var probabilities = model.Predict(images, calibrator, limit.Token);
            return TypedResults.Ok(
                new PredictionResponse(
                    id,
                    calibrator?.Name ?? CalibratorName.Temperature,
                    model.Temperature,
                    model.ClassNames,
                    [.. probabilities.Chunk(model.Classes).Select(row => Prediction.Of(row, model.ClassNames))]
                )
            );
        }
        catch (OperationCanceledException) when (!cancellation.IsCancellationRequested)
        {
            return Problems.Invalid(
                "The images are wrong.",
                new() { ["images"] = [$"must be fewer: this model does not predict them within {LongestSeconds} s"] }
            );
        }
        catch (WrongBodyException e)
        {
            return Problems.Invalid("The images are wrong.", new() { [e.Part] = [e.Sentence] });
        }
    }

    private static IResult NoRoom(HttpContext context, LoadedModels models) =>
        Problems.TryLater(
            context,
            RetryAfterSeconds,
            StatusCodes.Status503ServiceUnavailable,
            "Too many models are in use.",
            $"Loaded models may take {models.MostBytes >> 20} MiB together (Api:ModelMegabytes). Try again."
        );
}
