using Temper.Domain;

namespace Temper.Unit.Domain;

public class NumeralTests
{
    [Theory]
    [InlineData(0, "0", "0")]
    [InlineData(-0.0, "0", "0")]
    [InlineData(4e-7, "0", "0")]
    [InlineData(-4e-7, "0", "0")]
    [InlineData(-5e-324, "0", "0")]
    [InlineData(6e-7, "0.000001", "+0.000001")]
    [InlineData(-6e-7, "−0.000001", "−0.000001")]
    [InlineData(0.0123, "0.0123", "+0.0123")]
    [InlineData(-1.5, "−1.500", "−1.500")]
    public void Show_OfAValueThatRoundsToZero_IsZeroWithoutASign(double value, string shown, string signed)
    {
        Assert.Equal((shown, signed), (Numeral.Show(value), Numeral.Signed(value)));
    }
}
