using Temper.Worker.Supervisor;

namespace Temper.Unit.Worker.Supervisor;

public class BreakerTests
{
    private readonly Clock clock = new();
    private readonly Breaker breaker;

    public BreakerTests() => breaker = new(mostJobs: 3, probeAfter: TimeSpan.FromSeconds(30), clock);

    [Fact]
    public void Fail_ThreeDifferentJobsInARow_SuspendsAndSaysWhy()
    {
        Fail(2);
        Assert.Null(breaker.SetAsideReason);

        breaker.JobFailed(Guid.NewGuid(), "no memory");

        Assert.Equal("3 different jobs failed in a row. Last failure: no memory", breaker.SetAsideReason);
    }

    [Fact]
    public void Fail_OneJobManyTimes_IsThatJobsFault()
    {
        var job = Guid.NewGuid();
        for (var i = 0; i < 10; i++)
            breaker.JobFailed(job, "it crashed");

        Assert.Null(breaker.SetAsideReason);
    }

    [Fact]
    public void Fail_WithASuccessInBetween_StartsCountingAnew()
    {
        Fail(2);
        breaker.JobSucceeded();
        Fail(2);

        Assert.Null(breaker.SetAsideReason);
    }

    [Fact]
    public void Probe_IsDueAfterItsTimeForOneSlotOnly()
    {
        Fail(3);
        clock.Advance(29);
        Assert.False(breaker.TryBeginProbe());
        clock.Advance(1);

        Assert.True(breaker.TryBeginProbe());
        Assert.False(breaker.TryBeginProbe());
    }

    [Fact]
    public void Probe_Passed_TakesJobsAgainButTheNextFailureSuspendsForTwiceAsLong()
    {
        Fail(3);
        clock.Advance(30);
        breaker.TryBeginProbe();
        breaker.ProbePassed();
        Assert.Null(breaker.SetAsideReason);

        Fail(1);

        Assert.NotNull(breaker.SetAsideReason);
        clock.Advance(119);
        Assert.False(breaker.TryBeginProbe());
        clock.Advance(1);
        Assert.True(breaker.TryBeginProbe());
    }

    [Fact]
    public void Probe_PassedAndAJobSucceeded_IsWellAgain()
    {
        Fail(3);
        clock.Advance(30);
        breaker.TryBeginProbe();
        breaker.ProbePassed();
        breaker.JobSucceeded();

        Fail(2);

        Assert.Null(breaker.SetAsideReason);
    }

    [Fact]
    public void Probe_WhoseRunnerDoesNotStart_StaysSuspendedAndTriesLater()
    {
        Fail(3);
        clock.Advance(30);
        breaker.TryBeginProbe();

        breaker.RunnerDidNotStart("no libtorch");

        Assert.Equal("No runner starts: no libtorch", breaker.SetAsideReason);
        Assert.False(breaker.TryBeginProbe());
        clock.Advance(60);
        Assert.True(breaker.TryBeginProbe());
    }

    private void Fail(int jobs)
    {
        for (var i = 0; i < jobs; i++)
            breaker.JobFailed(Guid.NewGuid(), "it crashed");
    }

    private sealed class Clock : TimeProvider
    {
        private double now;

        public void Advance(double seconds) => now += seconds;

        public override long GetTimestamp() => (long)(now * TimestampFrequency);
    }
}
