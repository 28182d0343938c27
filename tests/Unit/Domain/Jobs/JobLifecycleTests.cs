using Temper.Domain.Jobs;

namespace Temper.Unit.Domain.Jobs;

public class JobLifecycleTests
{
    [Theory]
    [InlineData(JobState.Queued, false)]
    [InlineData(JobState.Running, false)]
    [InlineData(JobState.Paused, false)]
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

    [Theory]
    [InlineData(JobVerb.Cancel, JobState.Cancelled)]
    [InlineData(JobVerb.Pause, JobState.Paused)]
    [InlineData(JobVerb.Resume, JobState.Queued)]
    [InlineData(JobVerb.Retry, JobState.Queued)]
    public void StatesThatAllow_AVerb_HaveAMoveToWhereItLeads(JobVerb verb, JobState target)
    {
        Assert.NotEmpty(JobLifecycle.StatesThatAllow(verb));
        Assert.All(JobLifecycle.StatesThatAllow(verb), state => Assert.Contains(target, JobLifecycle.MovesFrom(state)));
    }
}
