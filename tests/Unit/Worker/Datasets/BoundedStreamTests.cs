using Temper.Worker.Datasets;

namespace Temper.Unit.Worker.Datasets;

public class BoundedStreamTests
{
    [Theory]
    [InlineData(1000, 1000, false)]
    [InlineData(1001, 1000, true)]
    [InlineData(1 << 20, 1000, true)]
    public void Read_MoreThanTheLimit_IsRefused(int bytes, long limit, bool refused)
    {
        using var stream = new BoundedStream(new MemoryStream(new byte[bytes]), limit, CancellationToken.None);

        var exception = Record.Exception(() => stream.CopyTo(Stream.Null));

        Assert.Equal(refused, exception is InvalidDataException);
        Assert.Equal(!refused, exception is null);
    }

    [Fact]
    public void Read_WhenStopped_Stops()
    {
        using var stream = new BoundedStream(new MemoryStream(new byte[10]), 1000, new(canceled: true));

        Assert.Throws<OperationCanceledException>(() => stream.CopyTo(Stream.Null));
    }
}
