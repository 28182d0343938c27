using System.Text.Json.Serialization;
using Temper.Domain.Jobs;

namespace Temper.Worker.Messages;

/// <summary>Supervisor to runner, on the runner's standard input. End of input: exit.</summary>
[JsonPolymorphic(TypeDiscriminatorPropertyName = "command")]
[JsonDerivedType(typeof(Train), "train")]
[JsonDerivedType(typeof(Stop), "stop")]
internal abstract record RunnerCommand : PipeMessage;

/// <summary>
/// Train this, from the checkpoint where there is one. Answered by <see cref="Finished"/>, <see cref="Failed"/> or
/// <see cref="Stopped"/>, in the end.
/// </summary>
internal sealed record Train(JobSpec Spec, byte[]? Checkpoint = null) : RunnerCommand;

/// <summary>Stop the training under way, if one is.</summary>
internal sealed record Stop : RunnerCommand;

/// <summary>Runner to supervisor, on what was the runner's standard output.</summary>
[JsonPolymorphic(TypeDiscriminatorPropertyName = "message")]
[JsonDerivedType(typeof(Ready), "ready")]
[JsonDerivedType(typeof(Loading), "loading")]
[JsonDerivedType(typeof(Alive), "alive")]
[JsonDerivedType(typeof(TrainingStarted), "trainingStarted")]
[JsonDerivedType(typeof(Progressed), "progressed")]
[JsonDerivedType(typeof(EpochDone), "epochDone")]
[JsonDerivedType(typeof(Checkpointed), "checkpointed")]
[JsonDerivedType(typeof(Finished), "finished")]
[JsonDerivedType(typeof(Failed), "failed")]
[JsonDerivedType(typeof(Stopped), "stopped")]
internal abstract record RunnerMessage : PipeMessage;

/// <summary>libtorch is loaded and warm.</summary>
/// <param name="Device">What `auto` means here: `cpu` or `cuda:N`.</param>
/// <param name="Libraries">What trains, with versions.</param>
/// <param name="NoKernels">Why training on the CPU has to do without our kernels; null when it has them.</param>
internal sealed record Ready(string Device, bool HasCuda, string Libraries, string? NoKernels) : RunnerMessage;

/// <summary>The data set is still on its way.</summary>
/// <param name="What">For the log: which file, and how much of it is here.</param>
internal sealed record Loading(string What) : RunnerMessage;

/// <summary>At work on something that shows no progress, such as an evaluation.</summary>
/// <param name="QuietSeconds">How long the runner may now be silent, as for <see cref="Progressed"/>.</param>
internal sealed record Alive(double QuietSeconds) : RunnerMessage;

/// <summary>The data is on the device and the first optimizer step begins.</summary>
/// <param name="DataSeconds">How long reading the data and bringing it to the device took.</param>
/// <param name="Note">What a reader should know of this attempt; null for nothing.</param>
internal sealed record TrainingStarted(double DataSeconds, string? Note = null) : RunnerMessage;

/// <param name="QuietSeconds">
/// From now on, until another message says otherwise, the runner may be silent so long without being taken for hung. The worker's own
/// limit counts where it is longer.
/// </param>
internal sealed record Progressed(TrainingProgress Progress, double QuietSeconds) : RunnerMessage;

/// <param name="Checkpoint">Made at its end; null where the last one is recent.</param>
internal sealed record EpochDone(EpochMetrics Metrics, byte[]? Checkpoint) : RunnerMessage;

/// <summary>Made within an epoch, or when told to stop.</summary>
internal sealed record Checkpointed(byte[] Checkpoint) : RunnerMessage;

internal sealed record Finished(JobResult Result, TrainedModel Model) : RunnerMessage;

/// <param name="WorthRetrying">False where another attempt would end the same.</param>
/// <param name="Spoiled">True where libtorch or the device may be in a bad state: this runner must train nothing more.</param>
internal sealed record Failed(string Reason, bool WorthRetrying, bool Spoiled = false) : RunnerMessage;

internal sealed record Stopped : RunnerMessage;
