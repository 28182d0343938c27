using System.Text.Json.Serialization;
using Temper.Domain.Jobs;

namespace Temper.Worker.Messages;

/// <summary>A message from supervisor to runner, on standard input. The runner exits at the end of input.</summary>
[JsonPolymorphic(TypeDiscriminatorPropertyName = "command")]
[JsonDerivedType(typeof(Train), "train")]
[JsonDerivedType(typeof(Stop), "stop")]
internal abstract record RunnerCommand : PipeMessage;

/// <summary>
/// Train this job, from the checkpoint if there is one. The runner's last answer is <see cref="Finished"/>,
/// <see cref="Failed"/> or <see cref="Stopped"/>.
/// </summary>
internal sealed record Train(JobSpec Spec, byte[]? Checkpoint = null) : RunnerCommand;

/// <summary>Stop the current training, if there is one.</summary>
internal sealed record Stop : RunnerCommand;

/// <summary>A message from runner to supervisor, on the pipe that was the runner's standard output.</summary>
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

/// <summary>The runner has loaded libtorch and warmed it up.</summary>
/// <param name="Device">The device that `auto` selects on this machine: `cpu` or `cuda:N`.</param>
/// <param name="Libraries">The training libraries, with versions.</param>
/// <param name="NoKernels">Why training on the CPU cannot use Temper's kernels; null when it can.</param>
internal sealed record Ready(string Device, bool HasCuda, string Libraries, string? NoKernels) : RunnerMessage;

/// <summary>The runner is still fetching the data set.</summary>
/// <param name="What">For the log: which file, and how much of it has arrived.</param>
internal sealed record Loading(string What) : RunnerMessage;

/// <summary>The runner works on something that shows no progress, such as an evaluation.</summary>
/// <param name="QuietSeconds">How long the runner may be silent now, as for <see cref="Progressed"/>.</param>
internal sealed record Alive(double QuietSeconds) : RunnerMessage;

/// <summary>The data is on the device, and the first optimizer step begins.</summary>
/// <param name="DataSeconds">Time to read the data and copy it to the device.</param>
/// <param name="Note">A note for readers of the job about this attempt; null for none.</param>
internal sealed record TrainingStarted(double DataSeconds, string? Note = null) : RunnerMessage;

/// <param name="QuietSeconds">
/// How long the runner may be silent, until another message changes it, before the supervisor treats it as hung. The worker's own
/// limit applies if it is longer.
/// </param>
internal sealed record Progressed(TrainingProgress Progress, double QuietSeconds) : RunnerMessage;

/// <param name="Checkpoint">The checkpoint made at the epoch's end; null if the last one is recent.</param>
internal sealed record EpochDone(EpochMetrics Metrics, byte[]? Checkpoint) : RunnerMessage;

/// <summary>A checkpoint that the runner made within an epoch, or when told to stop.</summary>
internal sealed record Checkpointed(byte[] Checkpoint) : RunnerMessage;

internal sealed record Finished(JobResult Result, TrainedModel Model) : RunnerMessage;

/// <param name="WorthRetrying">False if another attempt would end in the same way.</param>
/// <param name="Spoiled">True if libtorch or the device may be in a bad state; this runner must then train no other job.</param>
internal sealed record Failed(string Reason, bool WorthRetrying, bool Spoiled = false) : RunnerMessage;

internal sealed record Stopped : RunnerMessage;
