namespace Temper.EndToEnd;

/// <summary>Skipped where TEMPER_DATA has no MNIST.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class MnistFactAttribute : FactAttribute
{
    public MnistFactAttribute()
    {
        if (!Directory.Exists(Path.Combine(Environment.GetEnvironmentVariable("TEMPER_DATA") ?? "", "mnist")))
            Skip = "TEMPER_DATA names no folder with mnist.";
    }
}
