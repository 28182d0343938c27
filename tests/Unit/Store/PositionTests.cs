using Temper.Store.Events;

namespace Temper.Unit.Store;

public class PositionTests
{
    [Fact]
    public void Before_ATransaction_SeesWhatWasSeenAndTheEarlierOnesThatCommittedSince()
    {
        var random = new Random(1);
        for (var round = 0; round < 2000; round++)
        {
            var then = Draw(random, Snapshot.Empty, (ulong)random.Next(1, 20));
            var now = Draw(random, then, then.Next + (ulong)random.Next(10));
            for (var transaction = 0ul; transaction <= now.Next; transaction++)
            {
                var before = then.Before(transaction, now);
                for (var other = 1ul; other < now.Next + 3; other++)
                    Assert.Equal(then.Sees(other) || (other < transaction && now.Sees(other)), before.Sees(other));
                Assert.Equal(before.ToString(), Snapshot.Parse(before.ToString())?.ToString());
            }
        }
    }

    [Fact]
    public void Union_OfTwoSets_SeesWhatEitherSees()
    {
        var random = new Random(1);
        for (var round = 0; round < 2000; round++)
        {
            var (one, other) = (
                Draw(random, Snapshot.Empty, (ulong)random.Next(1, 10)),
                Draw(random, Snapshot.Empty, (ulong)random.Next(1, 10))
            );
            var union = one.Union(other);
            var more = one.With(one.Next);
            for (var id = 1ul; id < 12; id++)
            {
                Assert.Equal(one.Sees(id) || other.Sees(id), union.Sees(id));
                Assert.Equal(one.Sees(id) || id == one.Next, more.Sees(id));
                Assert.False(one.Includes(other) && other.Sees(id) && !one.Sees(id));
            }
            Assert.True(union.Includes(one) && union.Includes(other));
        }
    }

    [Theory]
    [InlineData("1:1:")]
    [InlineData("5:9:5,7;8.e.12.3")]
    [InlineData("18446744073709551614:18446744073709551615:18446744073709551614;0.a.1.1")]
    public void Parse_OfAPosition_IsItsInverse(string text) => Assert.Equal(text, Position.Parse(text)?.ToString());

    [Theory]
    [InlineData("")]
    [InlineData("0:0:")]
    [InlineData("4:9:5")]
    [InlineData("5:9:5,5")]
    [InlineData("5:9:5,9")]
    [InlineData("05:9:5")]
    [InlineData("9:9:;")]
    [InlineData("9:9:;9.e.1")]
    [InlineData("9:9:;10.e.1.1")]
    [InlineData("9:9:;9.e.1.4294967296")]
    [InlineData("9:9:;9.e.9223372036854775808.1")]
    [InlineData("9:18446744073709551616:")]
    public void Parse_OfAnythingElse_IsNull(string text) => Assert.Null(Position.Parse(text));

    /// <summary>Draws a set that contains another.</summary>
    private static Snapshot Draw(Random random, Snapshot part, ulong next)
    {
        var unseen = new List<ulong>();
        for (var id = 1ul; id < next; id++)
            if (!part.Sees(id) && random.Next(3) == 0)
                unseen.Add(id);
        return new(next, unseen);
    }
}
