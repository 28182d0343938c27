using System.Text.Json;
using Temper.Domain.Jobs;
using Temper.Domain.Studies;

namespace Temper.Unit.Domain.Studies;

public class StudyGridTests
{
    private static readonly StudySpec Study = new()
    {
        Job = new()
        {
            Dataset = "mnist",
            Epsilon = 0,
            Epochs = 1,
        },
        Epsilons = [0],
        Seeds = [0],
        Criterion = Criterion.Accuracy,
        Grid = new() { ValidationFraction = [0.2, 0.1], Device = [DeviceName.Cpu] },
    };

    /// <summary>Those that remain say when and how often a job may run, not what it trains.</summary>
    [Fact]
    public void Fields_WithTheOtherAxes_AreAllNumbersAndEnumerationsThatChangeWhatIsTrained()
    {
        var compared = StudyGrid.Fields.Concat(StudySpecRule.Axes.Values).Append("seed").ToHashSet();

        Assert.Equal(
            ["maxAttempts", "priority", "timeoutSeconds"],
            typeof(JobSpec)
                .GetProperties()
                .Where(property => IsNumberOrEnumeration(property.PropertyType))
                .Select(property => JsonNamingPolicy.CamelCase.ConvertName(property.Name))
                .Where(name => !compared.Contains(name))
                .Order()
        );
    }

    [Fact]
    public void Jobs_OfAGrid_HaveItsValues() =>
        Assert.Equal(
            [(0.2, DeviceName.Cpu), (0.1, DeviceName.Cpu)],
            Study.Jobs().Select(job => (job.Spec.ValidationFraction, job.Spec.Device))
        );

    [Fact]
    public void Resolution_OfAnErrorRateWithoutKeptLogits_IsThatOfTheSmallestSplit() =>
        Assert.Equal(1 / 6000.0, Criterion.Accuracy.Resolution(Study, []), 1e-12);

    private static bool IsNumberOrEnumeration(Type type)
    {
        type = Nullable.GetUnderlyingType(type) ?? type;
        return type.IsEnum || type == typeof(int) || type == typeof(long) || type == typeof(double);
    }
}
