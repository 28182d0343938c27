using Temper.Domain.Jobs;
using Temper.Domain.Serialization;

namespace Temper.Unit.Domain.Jobs;

public class JobResultTests
{
    private const string Older = """
        {"testAccuracy":0.9,"testLoss":0.3,"testEce":0.04,"testSignedGap":0.02,"trainedEpochs":7,"device":"cpu","threads":2,
         "libtorch":"1.13.0","weightsSha256":"aa","notes":[]
        """;

    [Theory]
    [InlineData("}", 7)] // of a build that always kept the last epoch
    [InlineData(""","keptEpoch":3}""", 3)]
    public void KeptEpoch_OfAStoredResult_IsTheOneGivenOrTheLast(string rest, int expected) =>
        Assert.Equal(expected, Json.Read<JobResult>(Older + rest).KeptEpoch);
}
