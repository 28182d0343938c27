using Temper.Domain.Jobs;

namespace Temper.Unit.Domain.Jobs;

public class JobLifecycleTests
{
    [Theory]
    [InlineData(JobState.Queued, false)]
    [InlineData(JobState.Running, false)]
    [InlineData(JobState.Succeeded, true)]
    [InlineData(JobState.Failed, true)]
    [InlineData(JobState.Cancelled, true)]
    public void IsFinal_OfEachState(JobState state, bool final) => Assert.Equal(final, state.IsFinal());

    [Fact]
    public void MovesFrom_EveryState_LeadToAFinalStateInTheEnd()
    {
        foreach (var state in Enum.GetValues<JobState>().Where(state => !state.IsFinal()))
            Assert.Contains(JobLifecycle.MovesFrom(state), next => next.IsFinal());
    }

    [Fact]
    public void StatesThatAllow_Cancelled_AreQueuedAndRunning() =>
        Assert.Equal([JobState.Queued, JobState.Running], JobLifecycle.StatesThatAllow(JobState.Cancelled));
}
