namespace Temper.Domain.Jobs;

/// <summary>What a finished training run says of its model, on the test set, against hard labels.</summary>
/// <param name="TestAccuracy">Share of top-1 hits.</param>
/// <param name="TestLoss">Mean negative log-likelihood, nats.</param>
/// <param name="TestEce">Expected calibration error, 15 equal-width bins.</param>
/// <param name="TestSignedGap">Mean confidence − accuracy: positive is over-confident.</param>
/// <param name="TrainedEpochs">Epochs trained.</param>
/// <param name="Device">Where it ran: `cpu` or `cuda:0`.</param>
/// <param name="Threads">CPU threads libtorch used; weights repeat bit for bit for the same device and threads.</param>
/// <param name="Libtorch">The versions of TorchSharp and libtorch, and the kernels.</param>
/// <param name="WeightsSha256">SHA-256 over the final weights, parameter by parameter in order, as little-endian float32.</param>
/// <param name="DataSha256">SHA-256 over the pixels and labels it trained on and was tested with; null in results older than this
/// field.</param>
/// <param name="Build">Tells the worker's build from every other; null in results older than this field.</param>
/// <param name="Notes">What the reader should know, such as data files that differ from the published ones.</param>
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
);
