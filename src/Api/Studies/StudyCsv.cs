using System.Globalization;
using System.Text;
using Temper.Api.Http;
using Temper.Domain.Serialization;

namespace Temper.Api.Studies;

/// <summary>Writes a study's rows as CSV. Each figure has three columns: mean, and low and high end of its interval.</summary>
internal static class StudyCsv
{
    private static readonly (string Name, Func<ArmResponse, MeanOverSeeds?> Of)[] Figures =
    [
        .. typeof(ArmResponse)
            .GetProperties()
            .Where(property => property.PropertyType == typeof(MeanOverSeeds))
            .Select(property =>
                (
                    char.ToLowerInvariant(property.Name[0]) + property.Name[1..],
                    (Func<ArmResponse, MeanOverSeeds?>)property.GetMethod!.CreateDelegate(typeof(Func<ArmResponse, MeanOverSeeds?>))
                )
            ),
    ];

    public static string Write(StudyResponse study)
    {
        var csv = new StringBuilder();
        csv.AppendJoin(
                ',',
                [
                    "epsilon",
                    "smoothing",
                    "learningRate",
                    "model",
                    "labelNoise",
                    "settings",
                    "droppedAtSeeds",
                    "jobs",
                    "seeds",
                    .. Figures.SelectMany(figure => new[] { figure.Name, $"{figure.Name}Low", $"{figure.Name}High" }),
                ]
            )
            .Append('\n');
        foreach (var row in study.Rows)
            csv.AppendJoin(
                    ',',
                    (string[])
                        [
                            Number(row.Epsilon),
                            Json.Name(row.Smoothing),
                            Number(row.LearningRate),
                            Json.Name(row.Model),
                            Number(row.LabelNoise),
                            Csv.Quoted(row.Settings.Text),
                            Number(row.DroppedAtSeeds),
                            Number(row.Jobs),
                            Number(row.Seeds),
                            .. Figures
                                .Select(figure => figure.Of(row))
                                .SelectMany(mean =>
                                    new[] { Number(mean?.Mean), Number(mean?.Interval?.Low), Number(mean?.Interval?.High) }
                                ),
                        ]
                )
                .Append('\n');
        return csv.ToString();
    }

    private static string Number(double? value) =>
        value is { } number && double.IsFinite(number) ? number.ToString("R", CultureInfo.InvariantCulture) : "";
}
