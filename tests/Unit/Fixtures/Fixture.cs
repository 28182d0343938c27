using System.Text.Json;

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
}
