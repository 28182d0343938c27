using Temper.Domain;
using Temper.Domain.Studies;
using Temper.Harness;

namespace Temper.Unit.Domain.Studies;

public class StudentTTests
{
    /// <summary>The values come from printed tables of the t distribution.</summary>
    [Theory]
    [InlineData(0.025, 1, 12.7062)]
    [InlineData(0.01, 1, 31.8205)]
    [InlineData(0.025, 2, 4.30265)]
    [InlineData(0.01, 2, 6.96456)]
    [InlineData(0.05, 3, 2.35336)]
    [InlineData(0.01, 9, 2.82144)]
    [InlineData(0.005, 10, 3.16927)]
    [InlineData(0.025, 45, 2.01410)]
    [InlineData(0.0005, 30, 3.64596)]
    public void Quantile_OfPrintedTails_IsTheTablesValue(double tail, int degrees, double expected)
    {
        Assert.Equal(expected, StudentT.Quantile(tail, degrees), 1e-5 * expected);
        Assert.Equal(tail, StudentT.Tail(expected, degrees), 1e-5 * tail + 1e-7);
        Assert.Equal(1 - tail, StudentT.Tail(-expected, degrees), 1e-6);
    }

    [Fact]
    public void Tail_AtZero_IsHalf() => Assert.All(Enumerable.Range(1, 50), degrees => Assert.Equal(0.5, StudentT.Tail(0, degrees), 1e-15));

    [Fact]
    public void Quantile_OfNoProbability_IsRefused() =>
        Assert.All(
            new[] { 0, -0.1, 0.6, double.NaN },
            tail => Assert.Throws<ArgumentOutOfRangeException>(() => StudentT.Quantile(tail, 5))
        );

    /// <summary>Compares with the share of draws of (shift + normal) / √(χ²/ν) above the critical value.</summary>
    [Theory]
    [InlineData(2.821, 9, 6)]
    [InlineData(6.965, 2, 6)]
    [InlineData(3.36, 6, 4)]
    [InlineData(12.706, 1, 8)]
    [InlineData(2, 30, 0)]
    [InlineData(1.7, 200, 2)]
    public void Power_OfAShift_IsTheShareOfDrawsThatExceed(double critical, int degrees, double shift)
    {
        const int Draws = 20_000;
        var random = new SplitMix64(1, 5);
        var exceeding = 0;
        for (var i = 0; i < Draws; i++)
        {
            double chiSquare = 0;
            for (var k = 0; k < degrees; k++)
                chiSquare += Math.Pow(SimulatedStudies.Normal(random), 2);
            if ((shift + SimulatedStudies.Normal(random)) / Math.Sqrt(chiSquare / degrees) > critical)
                exceeding++;
        }

        var power = StudentT.Power(critical, degrees, shift);

        Assert.Equal((double)exceeding / Draws, power, 5 * Math.Sqrt(power * (1 - power) / Draws) + 0.001);
        if (shift == 0)
            Assert.Equal(StudentT.Tail(critical, degrees), power, 1e-4);
    }
}
