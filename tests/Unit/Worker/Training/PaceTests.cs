using Temper.Worker.Training;

namespace Temper.Unit.Worker.Training;

public class PaceTests
{
    [Fact]
    public void ReportIsDue_AfterTheFirstPiece_TellsAtOnceHowLongTheNextMayTake()
    {
        var pace = new Pace(batchSize: 128);
        Assert.Equal(Pace.UnmeasuredSeconds, pace.QuietSeconds);

        pace.Begin();

        Assert.True(pace.ReportIsDue());
        Assert.InRange(pace.QuietSeconds, double.Epsilon, Pace.UnmeasuredSeconds);
        Assert.False(pace.ReportIsDue());
    }
}
