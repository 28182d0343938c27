using System.Text.Json;
using Temper.Domain.Calibration;

namespace Temper.Unit.Fixtures;

/// <summary>Reads the files that make_fixtures.py wrote, and computes the inputs that it used.</summary>
internal static class Fixture
{
    private static readonly JsonSerializerOptions Options = new(JsonSerializerDefaults.Web);

    public static T[] Read<T>(string file) =>
        JsonSerializer.Deserialize<T[]>(File.ReadAllText(Path.Combine(AppContext.BaseDirectory, "Fixtures", file)), Options)!;

    /// <summary>Computes the same as `values` of make_fixtures.py: numbers in [−0.5, 0.5) from an integer hash.</summary>
    public static double[] Values(long count, long salt)
    {
        var values = new double[count];
        for (var i = 0L; i < count; i++)
            values[i] = (double)((i * 2654435761 + salt * 40503) % (1L << 32)) / (1L << 32) - 0.5;
        return values;
    }

    public static float[] Floats(long count, long salt) => Array.ConvertAll(Values(count, salt), value => (float)value);

    /// <summary>Computes the same as `draw` of make_calibration_fixtures.py.</summary>
    public static LabelledLogits Logits(int count, int classes, double spread, double right, long salt, double step)
    {
        var logits = Array.ConvertAll(
            Values((long)count * classes, salt),
            value =>
            {
                var logit = value * 2 * spread;
                return (float)(step > 0 ? Math.Round(logit / step) * step : logit);
            }
        );
        var (isRight, other) = (Values(count, salt + 1), Values(count, salt + 2));
        var labels = new int[count];
        for (var i = 0; i < count; i++)
        {
            var top = LabelledLogits.IndexOfLargest(logits.AsSpan(i * classes, classes));
            if (right >= 0)
                labels[i] = isRight[i] + 0.5 < right ? top : (top + 1 + (int)((other[i] + 0.5) * (classes - 1))) % classes;
        }
        return new(logits, labels, classes);
    }
}
