using System.CommandLine;
using System.CommandLine.Invocation;
using Temper.Cli;
using Temper.Cli.Evaluations;
using Temper.Cli.Http;
using Temper.Cli.Jobs;
using Temper.Cli.Output;
using Temper.Cli.Studies;

var root = new RootCommand("Trains image classifiers with label smoothing on a Temper service.")
{
    JobCommands.Submit(),
    JobCommands.Watch(),
    JobCommands.List(),
    JobCommands.Show(),
    JobCommands.Metrics(),
    JobCommands.Report(),
    JobCommands.Corruptions(),
    PredictCommand.Predict(),
    Verbs.Of("jobs", "cancel", "Cancels a job; a running one ends soon after."),
    Verbs.Of("jobs", "pause", "Pauses a job; a running one keeps its checkpoint."),
    Verbs.Of("jobs", "resume", "Queues a paused job again."),
    Verbs.Of("jobs", "retry", "Queues a failed or cancelled job again."),
    Verbs.Of("jobs", "pin", "Keeps retention from a job."),
    Verbs.Of("jobs", "unpin", "Lets retention remove parts of a job again."),
    Common.Delete("Deletes a job that is not running, with its epochs, model and report.", "jobs", Common.Id("JOB")),
    StudyCommands.Study(),
    StudyCommands.Recommend(),
    EvaluateCommand.Evaluate(),
    EvaluateCommand.Evaluations(),
    Downloads.Download(),
    ServiceCommands.Datasets(),
    WorkerCommands.Workers(),
    TenantCommands.Tenants(),
    KeyCommands.Keys(),
    Common.Json,
};
root.HelpName = "temper";

var parsed = root.Parse(args);
if (parsed.Action is ParseErrorAction)
{
    // The action itself writes help and guesses to standard output.
    foreach (var error in parsed.Errors)
        Terminal.Note(error.Message);
    Terminal.Note("temper --help and temper COMMAND --help show what there is.");
    return ExitCodes.Usage;
}
try
{
    return await parsed.InvokeAsync(new() { EnableDefaultExceptionHandler = false, ProcessTerminationTimeout = TimeSpan.FromSeconds(2) });
}
catch (RefusedException e)
{
    if (parsed.GetValue(Common.Json))
        Terminal.WriteLine(e.Document);
    Terminal.Note(e.Message);
    return ExitCodes.Refused;
}
catch (UnreachableException e)
{
    Terminal.Note(e.Message);
    return ExitCodes.Unreachable;
}
catch (Exception e) when (e is UsageException or IOException or UnauthorizedAccessException) // of a file: Body has those of answers
{
    Terminal.Note(e.Message);
    return ExitCodes.Usage;
}
catch (OperationCanceledException)
{
    return ExitCodes.Interrupted;
}
