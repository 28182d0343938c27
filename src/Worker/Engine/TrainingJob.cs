using Npgsql;
using Temper.Store.Engine;
using Temper.Store.Queue;

namespace Temper.Worker.Engine;

/// <summary>The job that Hangfire runs for an attempt, on this worker.</summary>
internal sealed class TrainingJob(ClaimingQueue queue, JobQueue jobs, CancellationToken stopping) : ITraining
{
    public async Task<AttemptResult> TrainAsync(Guid job, int attempt, string label)
    {
        if (queue.Begin(job, attempt) is not { } fetched)
            return new("lost", "This worker does not hold this attempt.");
        AttemptResult result;
        try
        {
            result = await fetched.Slot.CarryOutAsync(fetched.Attempt, stopping);
            if (result.Outcome is not ("succeeded" or "failed"))
                result = await HistoryAsync(job, attempt) ?? result;
        }
        finally
        {
            queue.End(fetched);
        }
        // Set the final state here, because Hangfire would first store that the method succeeded.
        if (result != AttemptResult.Succeeded)
            queue.Tell(fetched, result);
        return result;
    }

    /// <summary>
    /// Reads the stored outcome. It may differ from the slot's if the user asked for both a pause and a cancel.
    /// </summary>
    private async Task<AttemptResult?> HistoryAsync(Guid job, int attempt)
    {
        try
        {
            return await jobs.OutcomeAsync(job, attempt, CancellationToken.None) is { } ended ? new(ended.Outcome, ended.Reason) : null;
        }
        catch (NpgsqlException)
        {
            return null;
        }
    }
}
