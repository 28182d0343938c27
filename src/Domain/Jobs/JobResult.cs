namespace Temper.Domain.Jobs;

/// <summary>The result of a finished training: figures of its model on the test set, against hard labels.</summary>
/// <param name="TestAccuracy">Share of top-1 hits.</param>
/// <param name="TestLoss">Mean negative log-likelihood, nats.</param>
/// <param name="TestEce">Expected calibration error, 15 equal-width bins.</param>
/// <param name="TestSignedGap">Mean confidence − accuracy: positive is over-confident.</param>
/// <param name="TrainedEpochs">Epochs trained.</param>
/// <param name="Device">The device that it ran on: `cpu` or `cuda:0`.</param>
/// <param name="Threads">CPU threads that libtorch used. The same device and threads give the same weights, bit for bit.</param>
/// <param name="Libtorch">The versions of TorchSharp and libtorch, and the kernels.</param>
/// <param name="WeightsSha256">SHA-256 over the kept epoch's weights, parameter by parameter in order, as little-endian float32.</param>
/// <param name="DataSha256">SHA-256 over the pixels and labels of training and test; null in results older than this
/// field.</param>
/// <param name="Build">Identifies the worker's build; null in results older than this field.</param>
/// <param name="Notes">Notes for the reader, such as that data files differ from the published ones.</param>
public sealed record JobResult(
    double TestAccuracy,
    double TestLoss,
    double TestEce,
    double TestSignedGap,
    int TrainedEpochs,
    string Device,
    int Threads,
    string Libtorch,
    string WeightsSha256,
    IReadOnlyList<string> Notes,
    string? DataSha256 = null,
    string? Build = null
)
{
    /// <summary>The epoch whose weights are the result; see <see cref="JobSpec.Keep"/>. The last in results older than this
    /// field.</summary>
    public int KeptEpoch { get; init; } = TrainedEpochs;
}
