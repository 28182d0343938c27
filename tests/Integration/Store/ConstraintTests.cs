using Npgsql;
using Temper.Integration.Store.Queue;

namespace Temper.Integration.Store;

/// <summary>Tests that the table's constraints refuse rows that contradict themselves, whoever writes them.</summary>
public class ConstraintTests : QueueTest
{
    [Theory]
    [InlineData("state = 'succeeded'")]
    [InlineData("state = 'failed'")]
    [InlineData("state = 'queued'")]
    [InlineData("state = 'forgotten', worker_id = NULL")]
    [InlineData("state = 'queued', worker_id = NULL, stop_requested = 'pause'")]
    [InlineData("stop_requested = 'hurry'")]
    [InlineData("finished_at = now()")]
    [InlineData("worker_id = NULL")]
    [InlineData("result = '{}'")]
    [InlineData("state = 'succeeded', finished_at = now(), worker_id = NULL")]
    [InlineData("worker_id = gen_random_uuid()")]
    public async Task Update_ToAContradiction_IsRefused(string change)
    {
        var job = await SubmitAndClaimAsync();

        var error = await Assert.ThrowsAsync<PostgresException>(() =>
            Database.ExecuteAsync($"UPDATE jobs SET {change} WHERE id = '{job.Id}'")
        );

        Assert.Contains(error.SqlState, new[] { PostgresErrorCodes.CheckViolation, PostgresErrorCodes.ForeignKeyViolation });
    }
}
