using Microsoft.EntityFrameworkCore;
using Temper.Api.Onnx;
using Temper.Domain.Calibration;
using Temper.Domain.Calibration.Calibrators;
using Temper.Store;

namespace Temper.Api.Calibration;

/// <summary>The stored model of a job with all that its use needs.</summary>
/// <param name="Temperature">T of the job's calibration report.</param>
/// <param name="ClassNames">K names; null when the classes have only numbers.</param>
internal sealed record ExportedModel(
    Guid Job,
    TrainedNetwork Network,
    double Temperature,
    IReadOnlyList<string>? ClassNames,
    StoredModel Stored
)
{
    /// <returns>Null when the weights were not kept, or nothing from which T is known.</returns>
    /// <exception cref="DamagedModelException">The stored weights cannot be read.</exception>
    public static async Task<ExportedModel?> FindAsync(TemperDb db, StoredModels models, Guid job, CancellationToken cancellation)
    {
        if (await models.FindAsync(job, cancellation) is not { HasWeights: true } stored)
            return null;
        await using var weights = stored.Open("weights");
        var network = await TrainedNetwork.ReadAsync(weights, cancellation);
        return await TemperatureAsync(db, job, cancellation) is { } temperature
            ? new(job, network, temperature, await ClassNamesAsync(db, network.Dataset, cancellation), stored)
            : null;
    }

    private static async Task<IReadOnlyList<string>?> ClassNamesAsync(TemperDb db, string dataset, CancellationToken cancellation)
    {
        if (Domain.Datasets.ClassNames.Of(dataset) is { } published)
            return published;
        var details = await db.Datasets.Where(one => one.Id == dataset).Select(one => one.Details).SingleOrDefaultAsync(cancellation);
        return details?.Classes.Select(one => one.Name).ToList();
    }

    /// <summary>A job without scores was trained by an old build, or has only one validation image.</summary>
    private static async Task<double?> TemperatureAsync(TemperDb db, Guid job, CancellationToken cancellation) =>
        await db
            .Scores.Where(scores => scores.JobId == job)
            .Select(scores => (double?)scores.Temperature)
            .SingleOrDefaultAsync(cancellation)
        ?? (
            await CalibrationEndpoints.LogitsOf(db, job).SingleOrDefaultAsync(cancellation) is { } logits
                ? TemperatureFit.On(logits.Validation()).Temperature
                : null
        );

    /// <param name="calibrator">Temperature scaling with T when null.</param>
    /// <exception cref="DamagedModelException">A weight is missing.</exception>
    public OnnxFile Onnx(PixelType pixels, Calibrator? calibrator = null) => new(Network, Job, Temperature, ClassNames, pixels, calibrator);

    /// <summary>Writes the ONNX file with the stored weights.</summary>
    public async Task WriteAsync(OnnxFile file, Stream to, CancellationToken cancellation)
    {
        await using var weights = Stored.Open("weights");
        await file.WriteAsync(to, weights, cancellation);
    }
}
